/** Keys for scripts. Of a key only its SHA-256 and its first characters are stored. */
import { sql, type Selectable } from 'kysely';
import { MAX_API_KEYS } from '../../domain/account/api-keys.js';
import { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { Db, Tx } from '../connect.js';
import { requireCredential, type Credential } from './credentials.js';
import type { ApiKeysTable } from '../schema.js';
import { inTransaction } from '../transactions.js';
import { lockAccount } from './users.js';

export type ApiKeyRow = Selectable<ApiKeysTable>;

/**
 * A key that is made with a key ends with that key.
 *
 * @param by what the order came with; it must still count when the key is stored
 * @throws `limit-reached` at 20 active keys, exactly, however many come at once; `not-authenticated`
 */
export async function insertApiKey(
  db: Db,
  key: Pick<ApiKeyRow, 'id' | 'name' | 'keyHash' | 'keyPrefix'>,
  by: Credential,
): Promise<ApiKeyRow> {
  const { userId, apiKeyId: parentId } = by;
  return inTransaction(db, async (tx) => {
    await lockAccount(tx, userId);
    await requireCredential(tx, by);
    const { active } = await tx
      .selectFrom('apiKeys')
      .select((select) => select.fn.countAll<number>().as('active'))
      .where('userId', '=', userId)
      .where('isActive', '=', true)
      .executeTakeFirstOrThrow();
    if (active >= MAX_API_KEYS) {
      throw new DomainError('limit-reached', `API key limit reached (max ${MAX_API_KEYS})`);
    }
    return tx
      .insertInto('apiKeys')
      .values({ ...key, userId, parentId, createdAt: sql<Date>`clock_timestamp()` }) // in order, not in line
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Own keys, newest first, inactive ones included. */
export async function listApiKeys(db: Db, userId: string): Promise<readonly ApiKeyRow[]> {
  return db
    .selectFrom('apiKeys')
    .selectAll()
    .where('userId', '=', userId)
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .execute();
}

/** Deletes those made with it, too. @returns the deleted key; undefined where it is missing or someone else's */
export async function deleteApiKey(
  db: Db,
  key: { userId: string; keyId: string },
): Promise<ApiKeyRow | undefined> {
  return db
    .deleteFrom('apiKeys')
    .where('id', '=', key.keyId)
    .where('userId', '=', key.userId)
    .returningAll()
    .executeTakeFirst();
}

/** In the transaction that ends the user's other credentials. */
export async function deactivateApiKeys(tx: Tx, userId: UserId): Promise<void> {
  await tx
    .updateTable('apiKeys')
    .set({ isActive: false })
    .where('userId', '=', userId)
    .where('isActive', '=', true)
    .execute();
}

/** Finds an active key by its SHA-256 hex, and stores that it was used. */
export async function useApiKey(
  db: Db,
  keyHash: string,
): Promise<{ readonly userId: UserId; readonly apiKeyId: string } | undefined> {
  return db
    .updateTable('apiKeys')
    .set({ lastUsedAt: sql<Date>`now()` })
    .where('keyHash', '=', keyHash)
    .where('isActive', '=', true)
    .returning(['userId', 'id as apiKeyId'])
    .executeTakeFirst();
}
