/** Users' vendor keys: sealed at once, checked by a workflow that knows only the key's id. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  deleteLlmKey,
  findLlmKey,
  listLlmKeys,
  openRow,
  recordValidation,
  storeLlmKey,
  type LlmKeyRow,
} from '../../../db/users/llm-keys.js';
import { DomainError } from '../../../domain/errors.js';
import { isVendor, type Vendor } from '../../../domain/agents/models.js';
import { maskText } from '../../../telemetry/logger.js';
import { llmKeyPath, storeLlmKeyBody } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route } from '../../http/route.js';
import { error } from '../../http/error-views.js';
import { llmKeySchema, llmKeyValidationSchema, viewLlmKey } from './views.js';

export type LlmKeyDeps = Pick<
  AppDeps,
  'db' | 'secretCipher' | 'workflows' | 'keyChanged' | 'logger'
>;

const OWN = { tag: 'llm-keys', auth: 'user' } as const;

export function createLlmKeyRoutes(deps: LlmKeyDeps): readonly Route[] {
  return [storeRoute(deps), listRoute(deps), deleteRoute(deps), validateRoute(deps)];
}

function storeRoute(deps: LlmKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/llm-keys',
      summary: "Register a vendor key, or replace the provider's present one",
      body: storeLlmKeyBody,
      yields: { key_id: '/id' },
      responses: {
        201: { description: 'Stored, whether or not it is valid', schema: llmKeySchema },
        400: error('Unsupported provider'),
      },
    },
    async ({ user, body }) => {
      const provider = vendorOf(body.provider);
      const key = { id: randomUUID(), userId: user.id, provider, apiKey: body.api_key };
      const stored = await storeLlmKey(deps.db, deps.secretCipher, key);
      await tellChange(deps, user.id);
      const { outcome } = await deps.workflows.validateKey({ userId: user.id, keyId: stored.id });
      const checked = await refetch(deps, stored);
      deps.logger.info('llm key registered', { userId: user.id, provider, outcome });
      await tellChange(deps, user.id);
      return { status: 201, body: viewLlmKey(checked ?? stored) };
    },
  );
}

function listRoute({ db }: LlmKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/llm-keys',
      summary: 'Own vendor keys, newest first',
      responses: { 200: { description: 'Never the keys', schema: z.array(llmKeySchema) } },
    },
    async ({ user }) => ({
      status: 200,
      body: (await listLlmKeys(db, user.id)).map(viewLlmKey),
    }),
  );
}

function deleteRoute(deps: LlmKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'DELETE',
      path: '/llm-keys/{key_id}',
      summary: 'Delete a vendor key',
      params: llmKeyPath,
      responses: {
        204: { description: 'Deleted', schema: null },
        404: error('LLM key not found'),
      },
    },
    async ({ user, params }) => {
      if (!(await deleteLlmKey(deps.db, { userId: user.id, keyId: params.key_id }))) {
        throw notFound();
      }
      deps.logger.info('llm key deleted', { userId: user.id, keyId: params.key_id });
      await tellChange(deps, user.id);
      return { status: 204, body: null };
    },
  );
}

function validateRoute(deps: LlmKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/llm-keys/{key_id}/validate',
      summary: 'Check a vendor key with its vendor',
      params: llmKeyPath,
      responses: {
        200: { description: 'What the check found', schema: llmKeyValidationSchema },
        404: error('LLM key not found'),
      },
    },
    async ({ user, params }) => {
      const row = await findLlmKey(deps.db, { userId: user.id, keyId: params.key_id });
      if (row === undefined) {
        throw notFound();
      }
      const found = await check(deps, row);
      await tellChange(deps, user.id);
      return {
        status: 200,
        body: {
          provider: row.provider,
          is_valid: found.outcome === 'valid',
          message: found.message,
          models_available: [...found.models],
        },
      };
    },
  );
}

/** A key that cannot be opened any more is invalid without asking its vendor. */
async function check(deps: LlmKeyDeps, row: LlmKeyRow) {
  try {
    openRow(deps.secretCipher, row);
  } catch (problem) {
    if (problem instanceof DomainError && problem.code === 'llm-key-unreadable') {
      await recordValidation(deps.db, { keyId: row.id, nonce: row.nonce, isValid: false });
      return { outcome: 'invalid', message: problem.message, models: [] } as const;
    }
    throw problem;
  }
  return deps.workflows.validateKey({ userId: row.userId, keyId: row.id });
}

/** @throws `invalid-input` */
function vendorOf(provider: string): Vendor {
  const vendor = provider.toLowerCase();
  if (!isVendor(vendor)) {
    throw new DomainError('invalid-input', `Unsupported provider: ${maskText(provider)}`);
  }
  return vendor;
}

async function refetch(deps: LlmKeyDeps, key: LlmKeyRow): Promise<LlmKeyRow | undefined> {
  return findLlmKey(deps.db, { userId: key.userId, keyId: key.id });
}

/** The change itself is committed; a process that misses the hint forgets the key in its own time. */
async function tellChange(deps: LlmKeyDeps, userId: string): Promise<void> {
  try {
    await deps.keyChanged(userId);
  } catch (cause) {
    deps.logger.warn('key change not told', { userId, error: cause });
  }
}

function notFound(): DomainError {
  return new DomainError('not-found', 'LLM key not found');
}
