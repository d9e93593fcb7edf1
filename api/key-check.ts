import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { keyCheckStart } from '../temporal/client/start-options.js';
import type { Logger } from '../telemetry/logger.js';
import type { validateKeyWorkflow } from '../workflows/key-check.js';
import type { KeyValidation } from './deps.js';

/** Source: contract, README decision 15: the answer waits for the check up to 15 s. */
const CHECK_WAIT_MS = 15_000;

/** An answer that is not ours is none. */
const verdictSchema = z.object({
  outcome: z.enum(['valid', 'invalid', 'unchecked']),
  provider: z.string().nullable(),
  models: z.array(z.string()),
});

/** Asks the worker to check a stored key; whatever is away, the key is kept "not checked yet". */
export async function checkKey(
  deps: { client: Client; taskQueue: string; logger: Logger },
  order: { userId: string; keyId: string },
): Promise<KeyValidation> {
  try {
    const verdict = await deps.client.withDeadline(Date.now() + CHECK_WAIT_MS, () =>
      deps.client.workflow.execute<typeof validateKeyWorkflow>('validateKeyWorkflow', {
        ...keyCheckStart(order, { checkId: randomUUID(), taskQueue: deps.taskQueue }),
        args: [order],
      }),
    );
    const { outcome, provider, models } = verdictSchema.parse(verdict);
    return { outcome, message: messageOf(outcome, provider), models };
  } catch (error) {
    deps.logger.warn('vendor key not checked', { keyId: order.keyId, error });
    return { outcome: 'unchecked', message: messageOf('unchecked', null), models: [] };
  }
}

/** Source: contract, pipeline §7: "valid" and the vendor's name; never the vendor's own text. */
function messageOf(outcome: KeyValidation['outcome'], provider: string | null): string {
  const vendor = provider ?? 'the vendor';
  switch (outcome) {
    case 'valid':
      return `The ${vendor} key is valid`;
    case 'invalid':
      return `Invalid ${vendor} key: the vendor does not accept it`;
    case 'unchecked':
      return `The key could not be checked with ${vendor} now; it is kept, try again later`;
  }
}
