/** Users' vendor keys: sealed before they are stored, opened only for a run or a check. */
import { sql, type Selectable } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import type { Vendor } from '../../domain/agents/models.js';
import type { Db } from '../connect.js';
import type { UserLlmKeysTable } from '../schema.js';
import type { SecretCipher } from './secret-cipher.js';

export type LlmKeyRow = Selectable<UserLlmKeysTable>;

/** A vendor key in plaintext: for the call at hand, never stored, logged or returned. */
export interface OpenedKey {
  readonly id: string;
  readonly provider: Vendor;
  readonly apiKey: string;
  /** Names the stored secret, so that a check's outcome is not written to a replaced key. */
  readonly nonce: Buffer;
}

const PREFIX_LENGTH = 12;

/** The part of a key that may be shown: 12 characters, but never more than half of a short key. */
export function prefixOf(apiKey: string): string {
  return apiKey.slice(0, Math.min(PREFIX_LENGTH, Math.floor(apiKey.length / 2)));
}

/** Stores a key, or replaces the user's key of that provider (same id); it counts as unchecked. */
export async function storeLlmKey(
  db: Db,
  cipher: SecretCipher,
  key: { id: string; userId: string; provider: Vendor; apiKey: string },
): Promise<LlmKeyRow> {
  const fresh = {
    ...cipher.seal(key.apiKey, key),
    keyPrefix: prefixOf(key.apiKey),
    isActive: true,
    isValid: false,
    lastUsedAt: null,
    lastValidatedAt: null,
    updatedAt: new Date(),
  };
  return db
    .insertInto('userLlmKeys')
    .values({ id: key.id, userId: key.userId, provider: key.provider, ...fresh })
    .onConflict((conflict) => conflict.columns(['userId', 'provider']).doUpdateSet(fresh))
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function listLlmKeys(db: Db, userId: string): Promise<readonly LlmKeyRow[]> {
  return db
    .selectFrom('userLlmKeys')
    .selectAll()
    .where('userId', '=', userId)
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .execute();
}

export async function findLlmKey(
  db: Db,
  key: { userId: string; keyId: string },
): Promise<LlmKeyRow | undefined> {
  return db
    .selectFrom('userLlmKeys')
    .selectAll()
    .where('id', '=', key.keyId)
    .where('userId', '=', key.userId)
    .executeTakeFirst();
}

/** @returns whether there was such a key of this user. */
export async function deleteLlmKey(
  db: Db,
  key: { userId: string; keyId: string },
): Promise<boolean> {
  const deleted = await db
    .deleteFrom('userLlmKeys')
    .where('id', '=', key.keyId)
    .where('userId', '=', key.userId)
    .executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

/** The user's active and valid keys, still sealed. */
export async function findUsableKeys(db: Db, userId: string): Promise<readonly LlmKeyRow[]> {
  return db
    .selectFrom('userLlmKeys')
    .selectAll()
    .where('userId', '=', userId)
    .where('isActive', '=', true)
    .where('isValid', '=', true)
    .orderBy('provider')
    .execute();
}

/**
 * Opens the user's usable keys. A key that cannot be opened is left out as long as another one can.
 *
 * @returns empty where the user has no usable key.
 * @throws `llm-key-unreadable` when there are usable keys and none of them opens.
 */
export async function openKeys(
  db: Db,
  cipher: SecretCipher,
  userId: string,
): Promise<readonly OpenedKey[]> {
  const rows = await findUsableKeys(db, userId);
  const attempts = rows.map((row) => attempt(() => openRow(cipher, row)));
  const opened = attempts.flatMap((result) => (result.kind === 'opened' ? [result.key] : []));
  const [first] = attempts;
  if (opened.length === 0 && first?.kind === 'failed') {
    throw first.error;
  }
  return opened;
}

type Attempt = { kind: 'opened'; key: OpenedKey } | { kind: 'failed'; error: DomainError };

function attempt(open: () => OpenedKey): Attempt {
  try {
    return { kind: 'opened', key: open() };
  } catch (error) {
    if (error instanceof DomainError) {
      return { kind: 'failed', error };
    }
    throw error;
  }
}

/** @throws `not-found`, `llm-key-unreadable` */
export async function openKey(
  db: Db,
  cipher: SecretCipher,
  key: { userId: string; keyId: string },
): Promise<OpenedKey> {
  const row = await findLlmKey(db, key);
  if (row === undefined) {
    throw new DomainError('not-found', 'LLM key not found');
  }
  return openRow(cipher, row);
}

/** @throws `llm-key-unreadable` */
export function openRow(cipher: SecretCipher, row: LlmKeyRow): OpenedKey {
  return {
    id: row.id,
    provider: row.provider,
    apiKey: cipher.open(row, row),
    nonce: row.nonce,
  };
}

/** Writes a check's outcome, unless the key has been replaced since it was opened. */
export async function recordValidation(
  db: Db,
  outcome: { keyId: string; nonce: Buffer; isValid: boolean },
): Promise<void> {
  const now = new Date();
  await db
    .updateTable('userLlmKeys')
    .set({ isValid: outcome.isValid, lastValidatedAt: now, updatedAt: now })
    .where('id', '=', outcome.keyId)
    .where('nonce', '=', outcome.nonce)
    .execute();
}

/**
 * Keeps that a vendor has refused a key in a call: it counts as invalid until it is checked again,
 * unless it has been replaced since it was opened.
 *
 * @returns whether it was valid until now
 */
export async function recordRefusal(
  db: Db,
  key: { readonly keyId: string; readonly nonce: Buffer },
): Promise<boolean> {
  const refused = await db
    .updateTable('userLlmKeys')
    .set({ isValid: false, updatedAt: new Date() })
    .where('id', '=', key.keyId)
    .where('nonce', '=', key.nonce)
    .where('isValid', '=', true)
    .executeTakeFirst();
  return refused.numUpdatedRows > 0n;
}

/** Many calls at once are one write. */
const USED_AGAIN_AFTER = sql<Date>`now() - interval '10 seconds'`;

export async function markKeyUsed(db: Db, keyId: string): Promise<void> {
  await db
    .updateTable('userLlmKeys')
    .set({ lastUsedAt: sql<Date>`now()` })
    .where('id', '=', keyId)
    .where((key) =>
      key.or([key('lastUsedAt', 'is', null), key('lastUsedAt', '<', USED_AGAIN_AFTER)]),
    )
    .execute();
}
