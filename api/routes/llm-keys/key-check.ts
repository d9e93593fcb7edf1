import { z } from 'zod';
import type { Temporal } from '../../../temporal/client/timeouts.js';
import { checkKey } from '../../../temporal/client/users.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { KeyValidation } from '../../deps.js';

/** An answer that is not ours is none. */
const verdictSchema = z.object({
  outcome: z.enum(['valid', 'invalid', 'unchecked']),
  provider: z.string().nullable(),
  models: z.array(z.string()),
});

/** Asks the worker to check a stored key; when a part is away, the key is kept as "not checked yet". */
export async function validateKey(
  deps: { temporal: Temporal; logger: Logger },
  request: { userId: string; keyId: string },
): Promise<KeyValidation> {
  try {
    const { outcome, provider, models } = verdictSchema.parse(
      await checkKey(deps.temporal, request),
    );
    return { outcome, message: messageOf(outcome, provider), models };
  } catch (error) {
    deps.logger.warn('vendor key not checked', { keyId: request.keyId, error });
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
