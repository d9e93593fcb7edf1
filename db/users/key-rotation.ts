/** Seals the stored vendor keys with the newest encryption key, while the product runs. */
import { DomainError } from '../../domain/errors.js';
import type { Db } from '../connect.js';
import type { LlmKeyRow } from './llm-keys.js';
import type { SecretCipher } from './secret-cipher.js';

export interface Rotation {
  readonly resealed: number;
  /** Replaced or deleted by their owners meanwhile; they need nothing. */
  readonly overtaken: number;
  /** Ids of those that none of the keys opens; they are left as they are. */
  readonly unreadable: readonly string[];
}

const BATCH = 100;

/** Goes through all rows once, in batches; a second call finds nothing left to do. */
export async function resealLlmKeys(
  db: Db,
  cipher: SecretCipher,
  { batch = BATCH }: { batch?: number } = {},
): Promise<Rotation> {
  let rotation: Rotation = { resealed: 0, overtaken: 0, unreadable: [] };
  let rows = await findOldSeals(db, cipher, { after: null, batch });
  while (rows.length > 0) {
    for (const row of rows) {
      rotation = await resealRow(db, cipher, { row, rotation });
    }
    rows = await findOldSeals(db, cipher, { after: rows.at(-1)?.id ?? null, batch });
  }
  return rotation;
}

/** How many stored keys each encryption key has sealed, by its id. */
export async function countSeals(db: Db): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('userLlmKeys')
    .select((select) => ['sealedBy', select.fn.countAll<number>().as('count')])
    .groupBy('sealedBy')
    .execute();
  return new Map(rows.map(({ sealedBy, count }) => [sealedBy, count]));
}

async function findOldSeals(
  db: Db,
  cipher: SecretCipher,
  { after, batch }: { after: string | null; batch: number },
): Promise<readonly LlmKeyRow[]> {
  return db
    .selectFrom('userLlmKeys')
    .selectAll()
    .where('sealedBy', '<>', cipher.seals[0] ?? '')
    .$if(after !== null, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(batch)
    .execute();
}

async function resealRow(
  db: Db,
  cipher: SecretCipher,
  { row, rotation }: { row: LlmKeyRow; rotation: Rotation },
): Promise<Rotation> {
  try {
    const hasWon = await replaceSeal(db, row, cipher.reseal(row, row));
    return hasWon
      ? { ...rotation, resealed: rotation.resealed + 1 }
      : { ...rotation, overtaken: rotation.overtaken + 1 };
  } catch (error) {
    if (error instanceof DomainError && error.code === 'llm-key-unreadable') {
      return { ...rotation, unreadable: [...rotation.unreadable, row.id] };
    }
    throw error;
  }
}

/** Only where the row still holds what was read. */
async function replaceSeal(
  db: Db,
  row: LlmKeyRow,
  sealed: { encryptedKey: Buffer; sealedBy: string },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('userLlmKeys')
    .set({ encryptedKey: sealed.encryptedKey, sealedBy: sealed.sealedBy })
    .where('id', '=', row.id)
    .where('nonce', '=', row.nonce)
    .where('sealedBy', '=', row.sealedBy)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
