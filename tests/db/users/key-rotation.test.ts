import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { findLackingKeys } from '../../../audit/encryption-keys.js';
import { createArchiveCipher } from '../../../audit/archive-cipher.js';
import { forgetEncryptionKey } from '../../../db/users/encryption-keys.js';
import { countSeals, resealLlmKeys, resealSecrets } from '../../../db/users/key-rotation.js';
import { openKeys, recordValidation, storeLlmKey } from '../../../db/users/llm-keys.js';
import { createEndpoint, findEndpoint, openEndpoint } from '../../../db/users/model-endpoints.js';
import { createSecretCipher, type SecretCipher } from '../../../db/users/secret-cipher.js';
import { VENDORS, type Vendor } from '../../../domain/agents/models.js';
import { USUAL_QUIRKS } from '../../../domain/agents/endpoints.js';
import { saveArchive } from '../../../db/audit/run-archives.js';
import { admittedRun } from '../../support/runs.js';
import { until } from '../../support/until.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

let testDb: TestDb;
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const oldCipher = createSecretCipher([oldKey]);
const bothCipher = createSecretCipher([newKey, oldKey]);
const newCipher = createSecretCipher([newKey]);

beforeEach(async () => {
  testDb = await createTestDb();
});
afterEach(() => testDb.drop());

async function store(cipher: SecretCipher, userId: string, provider: Vendor) {
  const apiKey = `sk-${provider}-${userId}`;
  return storeLlmKey(testDb.db, cipher, { id: randomUUID(), userId, provider, apiKey });
}

async function storeForUsers(count: number): Promise<readonly string[]> {
  const users = await Promise.all(Array.from({ length: count }, () => createTestUser(testDb.db)));
  for (const { id } of users) {
    for (const provider of VENDORS) {
      const { id: keyId, nonce } = await store(oldCipher, id, provider);
      await recordValidation(testDb.db, { keyId, nonce, isValid: true });
    }
  }
  return users.map(({ id }) => id);
}

test('every stored key opens with the newest key alone, for any size of a batch', async () => {
  const users = await storeForUsers(3);
  expect(await resealLlmKeys(testDb.db, bothCipher, { batch: 2 })).toEqual({
    resealed: 9,
    overtaken: 0,
    unreadable: [],
  });
  expect(await countSeals(testDb.db)).toEqual(new Map([[newCipher.seals[0], 9]]));
  for (const userId of users) {
    const opened = await openKeys(testDb.db, newCipher, userId);
    expect(opened.map(({ provider, apiKey }) => [provider, apiKey])).toEqual(
      ['anthropic', 'google', 'openai'].map((vendor) => [vendor, `sk-${vendor}-${userId}`]),
    );
  }
});

test('keys of model endpoints are sealed anew beside those of vendors', async () => {
  const [userId = ''] = await storeForUsers(1);
  const own = { name: 'own', baseUrl: 'https://example.com/v1', models: [], quirks: USUAL_QUIRKS };
  const { id } = await createEndpoint(testDb.db, oldCipher, {
    ...{ ...own, id: randomUUID(), userId, apiKey: 'sk-own' },
  });
  await createEndpoint(testDb.db, oldCipher, {
    ...{ ...own, id: randomUUID(), userId: null, apiKey: null },
  });
  expect(await resealSecrets(testDb.db, bothCipher)).toMatchObject({ resealed: 4, unreadable: [] });
  expect((await resealSecrets(testDb.db, bothCipher)).resealed).toBe(0);
  expect(await countSeals(testDb.db)).toEqual(new Map([[newCipher.seals[0], 4]]));
  const row = await findEndpoint(testDb.db, { id, userId });
  expect(row && openEndpoint(newCipher, row).apiKey).toBe('sk-own');
});

test('a second rotation, and one beside it, changes nothing more', async () => {
  await storeForUsers(4);
  const [one, other] = await Promise.all([
    resealLlmKeys(testDb.db, bothCipher, { batch: 1 }),
    resealLlmKeys(testDb.db, bothCipher, { batch: 5 }),
  ]);
  expect(one.resealed + other.resealed).toBe(12);
  const before = await testDb.db.selectFrom('userLlmKeys').selectAll().orderBy('id').execute();
  expect((await resealLlmKeys(testDb.db, bothCipher)).resealed).toBe(0);
  const after = await testDb.db.selectFrom('userLlmKeys').selectAll().orderBy('id').execute();
  expect(after).toEqual(before);
});

test('a row sealed again still belongs to its user and provider alone', async () => {
  await storeForUsers(2);
  await resealLlmKeys(testDb.db, bothCipher);
  const [row] = await testDb.db.selectFrom('userLlmKeys').selectAll().execute();
  expect(row).toBeDefined();
  if (row !== undefined) {
    expect(newCipher.open(row, row)).toContain(row.userId);
    expect(() => newCipher.open(row, { ...row, userId: randomUUID() })).toThrow(
      /register it again/,
    );
    const provider = VENDORS.find((vendor) => vendor !== row.provider) ?? 'openai';
    expect(() => newCipher.open(row, { ...row, provider })).toThrow(/register it again/);
  }
});

test('a key that its owner replaces meanwhile is not undone', async () => {
  const { db } = testDb;
  const [userId = ''] = await storeForUsers(1);
  const fresh = { userId, provider: 'anthropic' };
  const rotation = await db.transaction().execute(async (tx) => {
    await tx
      .updateTable('userLlmKeys')
      .set(oldCipher.seal('sk-the-new-one-0123', fresh))
      .where('provider', '=', 'anthropic')
      .execute();
    const running = resealLlmKeys(db, bothCipher); // has read the old row, waits for the new one
    await until('the rotation waits for the row', async () => {
      const waiting = await sql`
        select 1 from pg_stat_activity
        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`.execute(db);
      return waiting.rows.length > 0;
    });
    return { running };
  });
  expect(await rotation.running).toMatchObject({ resealed: 2, overtaken: 1, unreadable: [] });
  await resealLlmKeys(db, bothCipher);
  const opened = await openKeys(db, newCipher, userId);
  expect(opened[0]).toMatchObject({ provider: 'anthropic', apiKey: 'sk-the-new-one-0123' });
});

test('a check under way still finds the key that it has checked', async () => {
  const { id: userId } = await createTestUser(testDb.db);
  const { id: keyId, nonce } = await store(oldCipher, userId, 'openai');
  await resealLlmKeys(testDb.db, bothCipher);
  await recordValidation(testDb.db, { keyId, nonce, isValid: true });
  expect(await openKeys(testDb.db, newCipher, userId)).toHaveLength(1);
});

test('rows that no key opens are named and left as they are', async () => {
  const [userId = ''] = await storeForUsers(1);
  const foreign = await store(createSecretCipher([randomBytes(32)]), userId, 'google');
  const damaged = await store(oldCipher, userId, 'openai');
  await testDb.db
    .updateTable('userLlmKeys')
    .set({ encryptedKey: randomBytes(damaged.encryptedKey.length) })
    .where('id', '=', damaged.id)
    .execute();
  const before = await testDb.db.selectFrom('userLlmKeys').selectAll().orderBy('id').execute();
  const { resealed, unreadable } = await resealLlmKeys(testDb.db, bothCipher, { batch: 1 });
  expect(resealed).toBe(1);
  expect([...unreadable].sort()).toEqual([foreign.id, damaged.id].sort());
  const after = await testDb.db.selectFrom('userLlmKeys').selectAll().orderBy('id').execute();
  const kept = (rows: typeof after) => rows.filter(({ id }) => unreadable.includes(id));
  expect(kept(after)).toEqual(kept(before));
});

test('a failure that is no fault of a row ends the rotation', async () => {
  await storeForUsers(1);
  const reseal = () => {
    throw new TypeError('a mistake of ours');
  };
  const rotating = resealLlmKeys(testDb.db, { ...bothCipher, reseal });
  await expect(rotating).rejects.toThrow('a mistake of ours');
  expect(await countSeals(testDb.db)).toEqual(new Map([[oldCipher.seals[0], 3]]));
});

describe('a start', () => {
  const lacking = (...keys: readonly Buffer[]) => findLackingKeys(testDb.db, keys);
  const [oldId = ''] = oldCipher.seals;
  const [newId = ''] = newCipher.seals;

  test('without a key that has sealed before is refused, although no row names it', async () => {
    expect(await lacking(oldKey)).toBeNull();
    expect(await lacking(newKey)).toContain(`${oldId} (given: ${newId})`);
    expect(await lacking(oldKey)).toBeNull(); // what was refused has changed nothing
    expect(await lacking(oldKey, newKey)).toBeNull();
    expect(await lacking(oldKey)).toBeNull(); // the new one has sealed nothing yet
    expect(await lacking(newKey, oldKey)).toBeNull();
    expect(await lacking(oldKey)).toContain(newId);
    expect(await lacking(newKey)).toContain(oldId);
    await forgetEncryptionKey(testDb.db, oldId);
    expect(await lacking(newKey)).toBeNull();
  });

  test('that is the first one of this release goes by the rows that name a key', async () => {
    const { id: userId } = await createTestUser(testDb.db);
    const lost = createSecretCipher([randomBytes(32)]);
    await store(lost, userId, 'google');
    await store(oldCipher, userId, 'openai');
    const missing = await lacking(newKey);
    expect(missing).toContain(oldId);
    expect(missing).toContain(lost.seals[0]);
    expect(await lacking(newKey, oldKey)).toBeNull(); // one that was lost before keeps nothing from starting
    expect(await lacking(newKey)).toContain(`${oldId} (given: ${newId})`);
  });

  test('goes by archives, too', async () => {
    const id = randomUUID();
    const sealed = await createArchiveCipher([oldKey]).seal('a bundle', id);
    const { id: userId } = await createTestUser(testDb.db);
    const pipelineId = await admittedRun(testDb.db, { userId }, new Date());
    await saveArchive(testDb.db, { ...sealed, pipelineId, head: 'h', archivedAt: new Date() });
    expect(await lacking(newKey)).toContain(`${sealed.sealedBy} (of archives)`);
    expect(await lacking(newKey, oldKey)).toBeNull();
  });

  test('before the database is migrated is not refused', async () => {
    await sql`drop table encryption_keys`.execute(testDb.db);
    expect(await lacking(newKey)).toBeNull();
  });

  test('two at once with different keys end as one', async () => {
    const missing = await Promise.all([lacking(oldKey), lacking(newKey)]);
    expect(missing.filter((it) => it === null)).toHaveLength(1);
  });
});
