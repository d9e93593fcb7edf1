/** Which encryption keys stored data needs, so that no process works without one of them. */
import { sql, type NotNull } from 'kysely';
import type { Db, Tx } from '../connect.js';

/** The ids of a process's encryption keys, the one that seals first; as stored rows name them. */
export interface EncryptionKeyIds {
  readonly keys: readonly string[];
  /** The same keys, as archives name them. */
  readonly archiveKeys: readonly string[];
}

/**
 * Notes the key that seals from now on, unless stored data needs keys that the process lacks.
 *
 * The first start of an installation looks at rows that name a key. One that lacks a few of those may
 * go on: before these keys were noted, some may have been lost.
 *
 * @returns the ids of what is lacking; empty: all is well
 */
export async function useEncryptionKeys(db: Db, ids: EncryptionKeyIds): Promise<readonly string[]> {
  return db.transaction().execute(async (tx) => {
    await sql`lock table encryption_keys in exclusive mode`.execute(tx); // one start at a time
    const noted = (await tx.selectFrom('encryptionKeys').select('id').execute()).map(
      ({ id }) => id,
    );
    if (noted.length === 0) {
      const needed = await readNamedKeys(tx, ids);
      const hasNone = needed.length > 0 && !needed.some((id) => ids.keys.includes(id));
      if (hasNone) {
        return needed;
      }
      await noteEncryptionKeys(tx, ids.keys);
      return [];
    }
    const lacking = noted.filter((id) => !ids.keys.includes(id));
    if (lacking.length === 0) {
      await noteEncryptionKeys(tx, ids.keys.slice(0, 1));
    }
    return lacking;
  });
}

/** From now on these are needed. */
export async function noteEncryptionKeys(db: Db | Tx, keys: readonly string[]): Promise<void> {
  await db
    .insertInto('encryptionKeys')
    .values(keys.map((id) => ({ id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** An archive whose key is not known here names it in its own way. */
async function readNamedKeys(tx: Tx, { keys, archiveKeys }: EncryptionKeyIds): Promise<string[]> {
  const secrets = await tx
    .selectFrom('userLlmKeys')
    .select('sealedBy')
    .union(
      tx
        .selectFrom('modelEndpoints')
        .select('sealedBy')
        .where('sealedBy', 'is not', null)
        .$narrowType<{ sealedBy: NotNull }>(),
    )
    .execute();
  const archives = await tx.selectFrom('archives').select('sealedBy').distinct().execute();
  const ofArchives = archives.map(({ sealedBy }) => {
    const at = archiveKeys.indexOf(sealedBy);
    return keys[at] ?? `${sealedBy} (of archives)`;
  });
  return [...new Set([...secrets.map(({ sealedBy }) => sealedBy), ...ofArchives])];
}

/** Of a key that nothing needs any more, or that is lost for good. */
export async function forgetEncryptionKey(db: Db, id: string): Promise<void> {
  await db.deleteFrom('encryptionKeys').where('id', '=', id).execute();
}

/** For those who run the server, in one line. */
export function lackingKeysText(lacking: readonly string[], { keys }: EncryptionKeyIds): string {
  const [first = ''] = lacking;
  return (
    `ENCRYPTION_KEY and ENCRYPTION_KEY_PREVIOUS lack what stored data was sealed with: ${lacking.join(', ')} ` +
    `(given: ${keys.join(', ')}). Add that key to ENCRYPTION_KEY_PREVIOUS; ` +
    `if it is lost for good: npm run keys:rotate -- --lost ${first.split(' ')[0] ?? ''}`
  );
}
