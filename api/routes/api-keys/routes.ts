/** Keys for scripts: they carry all of their owner's rights over HTTP, and none on the socket. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { deleteApiKey, insertApiKey, listApiKeys } from '../../../db/users/api-keys.js';
import { DomainError } from '../../../domain/errors.js';
import { makeApiKey } from '../../auth/api-key.js';
import { apiKeyPath, createApiKeyBody } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { credentialOf } from '../../http/middleware/authenticate.js';
import { defineRoute, type Route } from '../../http/route.js';
import { apiKeySchema, newApiKeySchema, viewApiKey } from './views.js';
import { error } from '../../http/error-views.js';

export type ApiKeyDeps = Pick<AppDeps, 'db' | 'logger' | 'userChanged'>;

const OWN = { tag: 'api-keys', auth: 'user' } as const;

export function createApiKeyRoutes(deps: ApiKeyDeps): readonly Route[] {
  return [createRoute(deps), listRoute(deps), deleteRoute(deps)];
}

function createRoute({ db, logger }: ApiKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/api-keys',
      summary:
        'Make an API key; it is shown this once. One made with an API key ends with that key',
      body: createApiKeyBody,
      yields: { key_id: '/id' },
      responses: {
        201: { description: 'The key itself is nowhere else', schema: newApiKeySchema },
        400: error('API key limit reached (max 20)'),
      },
    },
    async ({ user, body }) => {
      const { key, ...stored } = makeApiKey();
      const request = { id: randomUUID(), name: body.name, ...stored };
      const row = await insertApiKey(db, request, credentialOf(user));
      logger.info('api key created', { userId: user.id, keyId: row.id, keyName: row.name });
      return { status: 201, body: { ...viewApiKey(row), key } };
    },
  );
}

function listRoute({ db }: ApiKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/api-keys',
      summary: 'Own API keys, newest first',
      responses: { 200: { description: 'Never the keys', schema: z.array(apiKeySchema) } },
    },
    async ({ user }) => ({
      status: 200,
      body: (await listApiKeys(db, user.id)).map(viewApiKey),
    }),
  );
}

function deleteRoute({ db, logger, userChanged }: ApiKeyDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'DELETE',
      path: '/api-keys/{key_id}',
      summary: 'Delete an API key and those made with it; they stop working at once',
      params: apiKeyPath,
      responses: {
        204: { description: 'Deleted', schema: null },
        404: error('API key not found'),
      },
    },
    async ({ user, params }) => {
      const deleted = await deleteApiKey(db, { userId: user.id, keyId: params.key_id });
      if (deleted === undefined) {
        throw new DomainError('not-found', 'API key not found');
      }
      await userChanged(user.id);
      logger.info('api key deleted', { userId: user.id, keyId: deleted.id, keyName: deleted.name });
      return { status: 204, body: null };
    },
  );
}
