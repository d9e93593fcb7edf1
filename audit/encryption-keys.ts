/** What a start of the API or a worker asks before anything is opened or sealed. */
import type { Db } from '../db/connect.js';
import { lackingKeysText, useEncryptionKeys } from '../db/users/encryption-keys.js';
import { createSecretCipher } from '../db/users/secret-cipher.js';
import { isNotMigrated } from '../domain/outages.js';
import { createArchiveCipher } from './archive-cipher.js';

/**
 * Payloads that this process cannot open would be rejected for good, and discussions and runs end.
 *
 * @param masters as configured, the one that seals first
 * @returns why this process must not start; null: it may, also where the database is not migrated yet
 * @throws while PostgreSQL is away
 */
export async function findLackingKeys(db: Db, masters: readonly Buffer[]): Promise<string | null> {
  const ids = {
    keys: createSecretCipher(masters).seals,
    archiveKeys: createArchiveCipher(masters).seals,
  };
  try {
    const lacking = await useEncryptionKeys(db, ids);
    return lacking.length === 0 ? null : lackingKeysText(lacking, ids);
  } catch (error) {
    if (isNotMigrated(error)) {
      return null;
    }
    throw error;
  }
}
