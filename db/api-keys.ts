/** Keys for scripts. Of a key only its SHA-256 and its first characters are stored. */
import { sql, type Selectable } from 'kysely';
import { MAX_API_KEYS } from '../domain/api-keys.js';
import { DomainError } from '../domain/errors.js';
import type { Db } from './connect.js';
import type { ApiKeysTable } from './schema.js';
import { inTransaction } from './transactions.js';
import { lockUser, type UserRow } from './users.js';

export type ApiKeyRow = Selectable<ApiKeysTable>;

/** @throws `limit-reached` at 20 active keys, exactly, however many come at once. */
export async function insertApiKey(
  db: Db,
  key: Pick<ApiKeyRow, 'id' | 'userId' | 'name' | 'keyHash' | 'keyPrefix'>,
): Promise<ApiKeyRow> {
  return inTransaction(db, async (tx) => {
    await lockUser(tx, key.userId);
    const { active } = await tx
      .selectFrom('apiKeys')
      .select((select) => select.fn.countAll<number>().as('active'))
      .where('userId', '=', key.userId)
      .where('isActive', '=', true)
      .executeTakeFirstOrThrow();
    if (active >= MAX_API_KEYS) {
      throw new DomainError('limit-reached', `API key limit reached (max ${MAX_API_KEYS})`);
    }
    return tx
      .insertInto('apiKeys')
      .values({ ...key, createdAt: sql<Date>`clock_timestamp()` }) // in order, not in line
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

/** @returns the deleted key; undefined where it is missing or someone else's */
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

/** Finds the owner of an active key by its SHA-256 hex, and notes that the key was used. */
export async function useApiKey(db: Db, keyHash: string): Promise<UserRow | undefined> {
  return db
    .with('used', (cte) =>
      cte
        .updateTable('apiKeys')
        .set({ lastUsedAt: sql<Date>`now()` })
        .where('keyHash', '=', keyHash)
        .where('isActive', '=', true)
        .returning('userId'),
    )
    .selectFrom('users')
    .innerJoin('used', 'used.userId', 'users.id')
    .where('users.deletedAt', 'is', null)
    .where('users.disabledAt', 'is', null)
    .selectAll('users')
    .executeTakeFirst();
}
