/** Seals the stored vendor keys with the newest encryption key, while the product runs. */
import { sql } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import type { Db } from '../connect.js';
import type { LlmKeyRow } from './llm-keys.js';
import { getSeal, toOwner, type EndpointRow } from './model-endpoints.js';
import type { SecretCipher } from './secret-cipher.js';

export interface Rotation {
  readonly resealed: number;
  /** Replaced or deleted by their owners meanwhile; they need nothing. */
  readonly overtaken: number;
  /** Ids of those that none of the keys opens; they are left as they are. */
  readonly unreadable: readonly string[];
}

const BATCH = 100;

/** Keys of endpoints, which are few, after those of vendors; a second call finds nothing left to do. */
export async function resealSecrets(
  db: Db,
  cipher: SecretCipher,
  options: { batch?: number } = {},
): Promise<Rotation> {
  let rotation = await resealLlmKeys(db, cipher, options);
  const rows = await db
    .selectFrom('modelEndpoints')
    .selectAll()
    .where('sealedBy', '<>', cipher.seals[0] ?? '')
    .orderBy('id')
    .execute();
  for (const row of rows) {
    rotation = await countReseal(rotation, row.id, () => resealEndpoint(db, cipher, row));
  }
  return rotation;
}

/** @returns whether the row still held what was read */
async function resealEndpoint(db: Db, cipher: SecretCipher, row: EndpointRow): Promise<boolean> {
  const sealed = getSeal(row);
  if (sealed === null) {
    return false;
  }
  const { encryptedKey, sealedBy } = cipher.reseal(sealed, toOwner(row));
  const { numUpdatedRows } = await db
    .updateTable('modelEndpoints')
    .set({ encryptedKey, sealedBy })
    .where('id', '=', row.id)
    .where('nonce', '=', sealed.nonce)
    .where('sealedBy', '=', sealed.sealedBy)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

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
      rotation = await countReseal(rotation, row.id, () =>
        replaceSeal(db, row, cipher.reseal(row, row)),
      );
    }
    rows = await findOldSeals(db, cipher, { after: rows.at(-1)?.id ?? null, batch });
  }
  return rotation;
}

/** How many stored keys each encryption key has sealed, by its id. */
export async function countSeals(db: Db): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ sealedBy: string; count: number }>`
    select sealed_by, count(*)::integer as count from (
      select sealed_by from user_llm_keys
      union all select sealed_by from model_endpoints where sealed_by is not null
    ) as secrets group by sealed_by`.execute(db);
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

async function countReseal(
  rotation: Rotation,
  id: string,
  reseal: () => Promise<boolean>,
): Promise<Rotation> {
  try {
    return (await reseal())
      ? { ...rotation, resealed: rotation.resealed + 1 }
      : { ...rotation, overtaken: rotation.overtaken + 1 };
  } catch (error) {
    if (error instanceof DomainError && error.code === 'llm-key-unreadable') {
      return { ...rotation, unreadable: [...rotation.unreadable, id] };
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
