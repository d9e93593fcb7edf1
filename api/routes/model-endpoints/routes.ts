/** OpenAI-compatible servers: of a user, or of an administrator for all; checked by a workflow that knows only ids. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { recordAdminAction } from '../../../db/audit/admin-actions.js';
import { inTransaction } from '../../../db/transactions.js';
import {
  createEndpoint,
  deleteEndpoint,
  findEndpoint,
  listEndpoints,
  type EndpointRow,
} from '../../../db/users/model-endpoints.js';
import { mayDo } from '../../../domain/account/permissions.js';
import type { Price } from '../../../domain/account/bill.js';
import { USUAL_QUIRKS } from '../../../domain/agents/endpoints.js';
import { DomainError } from '../../../domain/errors.js';
import { destinationOf, isAllowed } from '../../../domain/security/allowed-addresses.js';
import { isPrivateHost } from '../../../domain/security/private-addresses.js';
import { withoutTrailingSlashes } from '../../../domain/text/trailing-slashes.js';
import type { AppDeps } from '../../deps.js';
import { error } from '../../http/error-views.js';
import { defineRoute, type Route, type SignedInUser } from '../../http/route.js';
import { endpointPath, storeEndpointBody } from './schemas.js';
import { modelEndpointSchema, viewModelEndpoint } from './views.js';

export type ModelEndpointDeps = Pick<
  AppDeps,
  'db' | 'secretCipher' | 'workflows' | 'logger' | 'config'
>;

const OWN = { tag: 'model-endpoints', auth: 'user' } as const;
const NOT_FOUND = 'Model endpoint not found';

export function createModelEndpointRoutes(deps: ModelEndpointDeps): readonly Route[] {
  return [storeRoute(deps), listRoute(deps), deleteRoute(deps), checkRoute(deps)];
}

function storeRoute(deps: ModelEndpointDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/model-endpoints',
      summary:
        'Register a server that speaks OpenAI’s protocol, for oneself or, as administrator, for all',
      body: storeEndpointBody,
      yields: { endpoint_id: '/id' },
      responses: {
        201: {
          description: 'Stored and checked, whether or not it answers',
          schema: modelEndpointSchema,
        },
        400: error('The address is refused, or there are too many'),
        403: error('Only administrators register servers for all'),
        409: error('There is one of that name'),
      },
    },
    async ({ user, body }) => {
      if (body.shared && !mayShare(user)) {
        throw new DomainError('not-permitted', 'Only administrators register servers for all');
      }
      const baseUrl = withoutTrailingSlashes(body.base_url);
      requireOpen(deps, new URL(baseUrl));
      const row = await inTransaction(deps.db, async (tx) => {
        const created = await createEndpoint(tx, deps.secretCipher, {
          ...{ id: randomUUID(), userId: body.shared ? null : user.id, name: body.name, baseUrl },
          ...{ apiKey: body.api_key, quirks: USUAL_QUIRKS },
          models: body.models.map((model) => ({
            id: model.id,
            price: model.price === 'free' ? null : toPrice(model.price),
            contextTokens: model.context_tokens,
          })),
        });
        if (created.userId === null) {
          await recordShare(tx, user, created.id, 'registered');
        }
        return created;
      });
      await deps.workflows.validateKey({ userId: user.id, keyId: row.id });
      const checked = (await findEndpoint(deps.db, row)) ?? row;
      const { id: endpointId, isValid } = checked;
      deps.logger.info('model endpoint registered', { userId: user.id, endpointId, isValid });
      return { status: 201, body: viewModelEndpoint(checked, { showsAddress: true }) };
    },
  );
}

function mayShare({ role }: SignedInUser): boolean {
  return mayDo(role, 'endpoint:share');
}

/** What a name leads to is the worker's to refuse, whenever it connects. @throws `model-address-refused` */
function requireOpen({ config }: ModelEndpointDeps, url: URL): void {
  const isOpen = isAllowed(config.models.endpointAllowed, destinationOf(url));
  if (!isOpen && isPrivateHost(url.hostname)) {
    throw new DomainError(
      'model-address-refused',
      'base_url: the address is private; the operator allows such addresses by MODEL_ENDPOINT_ALLOW_ADDRESSES',
    );
  }
}

type SentPrice = Exclude<z.output<typeof storeEndpointBody>['models'][number]['price'], 'free'>;

function toPrice(price: SentPrice): Price {
  return {
    inputUsdPerMillion: price.input_usd_per_million,
    outputUsdPerMillion: price.output_usd_per_million,
    cacheReadUsdPerMillion: price.cache_read_usd_per_million,
    cacheWriteUsdPerMillion: price.cache_write_usd_per_million,
  };
}

async function recordShare(
  tx: Parameters<typeof recordAdminAction>[0],
  { id: actorId }: SignedInUser,
  endpointId: string,
  what: 'registered' | 'deleted',
): Promise<void> {
  const subject = `endpoint:${endpointId}`;
  await recordAdminAction(tx, { actorId, action: 'endpoint:share', subject, details: { what } });
}

function listRoute({ db }: ModelEndpointDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/model-endpoints',
      summary: 'Servers that the user may use: own ones, then those for all',
      responses: {
        200: { description: 'Never the keys', schema: z.array(modelEndpointSchema) },
      },
    },
    async ({ user }) => {
      const showsAddress = mayShare(user);
      const rows = await listEndpoints(db, user.id);
      return { status: 200, body: rows.map((row) => viewModelEndpoint(row, { showsAddress })) };
    },
  );
}

function deleteRoute(deps: ModelEndpointDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'DELETE',
      path: '/model-endpoints/{endpoint_id}',
      summary: 'Delete a server that was registered',
      params: endpointPath,
      responses: {
        204: { description: 'Deleted', schema: null },
        404: error(NOT_FOUND),
      },
    },
    async ({ user, params }) => {
      const row = await findManaged(deps, user, params.endpoint_id);
      await inTransaction(deps.db, async (tx) => {
        if (!(await deleteEndpoint(tx, row))) {
          throw new DomainError('not-found', NOT_FOUND);
        }
        if (row.userId === null) {
          await recordShare(tx, user, row.id, 'deleted');
        }
      });
      deps.logger.info('model endpoint deleted', { userId: user.id, endpointId: row.id });
      return { status: 204, body: null };
    },
  );
}

function checkRoute(deps: ModelEndpointDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/model-endpoints/{endpoint_id}/check',
      summary: 'Ask the server again, and note what it does not do',
      params: endpointPath,
      responses: {
        200: { description: 'What the check found', schema: modelEndpointSchema },
        404: error(NOT_FOUND),
      },
    },
    async ({ user, params }) => {
      const row = await findManaged(deps, user, params.endpoint_id);
      await deps.workflows.validateKey({ userId: user.id, keyId: row.id });
      const checked = (await findEndpoint(deps.db, row)) ?? row;
      return { status: 200, body: viewModelEndpoint(checked, { showsAddress: true }) };
    },
  );
}

/** The user's own, or as administrator one for all. @throws `not-found` */
async function findManaged(
  { db }: ModelEndpointDeps,
  user: SignedInUser,
  id: string,
): Promise<EndpointRow> {
  const own = await findEndpoint(db, { id, userId: user.id });
  const shared = await findEndpoint(db, { id, userId: null });
  const found = own ?? (mayShare(user) ? shared : undefined);
  if (found === undefined) {
    throw new DomainError('not-found', NOT_FOUND);
  }
  return found;
}
