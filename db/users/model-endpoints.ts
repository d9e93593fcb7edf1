/** Servers that users have registered, or administrators for all; their keys are sealed as vendor keys are. */
import type { Selectable } from 'kysely';
import type { Endpoint, EndpointModel, EndpointQuirks } from '../../domain/agents/endpoints.js';
import { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { Db, Tx } from '../connect.js';
import type { ModelEndpointsTable } from '../schema.js';
import { inTransaction } from '../transactions.js';
import type { SealedSecret, SecretCipher, SecretOwner } from './secret-cipher.js';

export type EndpointRow = Selectable<ModelEndpointsTable>;

/** Of one user, or of all together. */
export const MAX_ENDPOINTS = 20;

export interface EndpointFields {
  readonly name: string;
  readonly baseUrl: string;
  /** null: it wants none */
  readonly apiKey: string | null;
  readonly models: readonly EndpointModel[];
  readonly quirks: EndpointQuirks;
}

/** An endpoint with its key in plaintext: for the call at hand, never stored, logged or returned. */
export interface OpenedEndpoint {
  readonly endpoint: Endpoint;
  readonly apiKey: string;
}

/**
 * Stores one that counts as unchecked.
 *
 * @param userId null: for all users
 * @throws `limit-reached`; `conflict` if the owner has one of that name
 */
export async function createEndpoint(
  db: Db | Tx,
  cipher: SecretCipher,
  {
    id,
    userId,
    ...fields
  }: EndpointFields & { readonly id: string; readonly userId: UserId | null },
): Promise<EndpointRow> {
  return inTransaction(db, async (tx) => {
    const { count } = await tx
      .selectFrom('modelEndpoints')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('userId', 'is not distinct from', userId)
      .executeTakeFirstOrThrow();
    if (count >= MAX_ENDPOINTS) {
      throw new DomainError('limit-reached', `at most ${MAX_ENDPOINTS} model endpoints`);
    }
    const row = await tx
      .insertInto('modelEndpoints')
      .values({ id, userId, ...toColumns(cipher, fields, toOwner({ id, userId })) })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) {
      throw new DomainError('conflict', `there is a model endpoint named ${fields.name} already`);
    }
    return row;
  });
}

function toColumns(cipher: SecretCipher, fields: EndpointFields, owner: SecretOwner) {
  const { name, baseUrl, apiKey, models, quirks } = fields;
  const sealed =
    apiKey === null
      ? { encryptedKey: null, nonce: null, sealedBy: null }
      : cipher.seal(apiKey, owner);
  return {
    name,
    baseUrl,
    ...sealed,
    models: JSON.stringify(models),
    quirks: JSON.stringify(quirks),
  };
}

/** Whom a sealed key belongs to: it opens for this endpoint alone. */
export function toOwner({ id, userId }: Pick<EndpointRow, 'id' | 'userId'>): SecretOwner {
  return { userId: userId ?? 'all', provider: `endpoint:${id}` };
}

/** The user's own, then those for all, each by name. */
export async function listEndpoints(db: Db, userId: UserId): Promise<readonly EndpointRow[]> {
  return db
    .selectFrom('modelEndpoints')
    .selectAll()
    .where((row) => row.or([row('userId', '=', userId), row('userId', 'is', null)]))
    .orderBy('userId', (order) => order.asc().nullsLast())
    .orderBy('name')
    .execute();
}

/** @param owner null: of those for all */
export async function findEndpoint(
  db: Db,
  { id, userId }: { readonly id: string; readonly userId: UserId | null },
): Promise<EndpointRow | undefined> {
  return db
    .selectFrom('modelEndpoints')
    .selectAll()
    .where('id', '=', id)
    .where('userId', 'is not distinct from', userId)
    .executeTakeFirst();
}

/** @returns whether there was one */
export async function deleteEndpoint(
  db: Db | Tx,
  { id, userId }: { readonly id: string; readonly userId: UserId | null },
): Promise<boolean> {
  const deleted = await db
    .deleteFrom('modelEndpoints')
    .where('id', '=', id)
    .where('userId', 'is not distinct from', userId)
    .executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

export interface EndpointProblem {
  readonly problem: string;
  /** The server cannot be used as it is; else it was not reached, which says nothing of it. */
  readonly isFinal: boolean;
}

/** What a check has found. */
export async function recordEndpointCheck(
  db: Db,
  id: string,
  found: { readonly quirks: EndpointQuirks } | EndpointProblem,
): Promise<void> {
  const now = new Date();
  const fields =
    'quirks' in found
      ? { isValid: true, problem: null, quirks: JSON.stringify(found.quirks) }
      : { problem: found.problem, ...(found.isFinal ? { isValid: false } : {}) };
  await db
    .updateTable('modelEndpoints')
    .set({ ...fields, checkedAt: now, updatedAt: now })
    .where('id', '=', id)
    .execute();
}

/** Those that may answer the user's calls, the user's own first. One whose key cannot be opened is left out. */
export async function openEndpoints(
  db: Db,
  cipher: SecretCipher,
  userId: UserId,
): Promise<readonly OpenedEndpoint[]> {
  const rows = await listEndpoints(db, userId);
  return rows
    .filter(({ isValid }) => isValid)
    .flatMap((row) => {
      try {
        return [openEndpoint(cipher, row)];
      } catch (error) {
        if (error instanceof DomainError) {
          return [];
        }
        throw error;
      }
    });
}

/** @throws `llm-key-unreadable` */
export function openEndpoint(cipher: SecretCipher, row: EndpointRow): OpenedEndpoint {
  const { id, userId, name, baseUrl, models, quirks } = row;
  const sealed = getSeal(row);
  return {
    endpoint: { id, name, baseUrl, models, quirks, isShared: userId === null },
    apiKey: sealed === null ? '' : cipher.open(sealed, toOwner(row)),
  };
}

export function getSeal({
  encryptedKey,
  nonce,
  sealedBy,
}: Pick<EndpointRow, 'encryptedKey' | 'nonce' | 'sealedBy'>): SealedSecret | null {
  return encryptedKey === null || nonce === null || sealedBy === null
    ? null
    : { encryptedKey, nonce, sealedBy };
}

/** Of a user's, or for all: whether one of them may answer. */
export function isEndpointUsable(db: Db | Tx, userId: UserId) {
  return db
    .selectFrom('modelEndpoints')
    .select('id')
    .where('isValid', '=', true)
    .where((row) => row.or([row('userId', '=', userId), row('userId', 'is', null)]));
}
