import { randomBytes, randomUUID } from 'node:crypto';
import { createArchiveCipher, type ArchiveCipher } from '../../audit/archive-cipher.js';
import { findLackingKeys } from '../../audit/encryption-keys.js';
import { storeLlmKey } from '../../db/users/llm-keys.js';
import { saveArchive } from '../../db/audit/run-archives.js';
import { createSecretCipher } from '../../db/users/secret-cipher.js';
import { connectTemporal, type TemporalClient } from '../../temporal/connection.js';
import { runCommand } from '../support/command.js';
import { createTestDb, createTestUser, testServers, type TestDb } from '../support/servers.js';
import { admittedRun } from '../support/runs.js';
import { until } from '../support/until.js';

let testDb: TestDb;
let temporal: TemporalClient;
/** Of its own: each search for a key reads every history of the namespace. */
const namespace = `keys-${randomUUID()}`;
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const oldCipher = createSecretCipher([oldKey]);
const newCipher = createSecretCipher([newKey]);
const [oldId = '', newId = ''] = [...oldCipher.seals, ...newCipher.seals];

beforeAll(async () => {
  testDb = await createTestDb();
  const { temporalAddress: address } = testServers();
  temporal = await connectTemporal({ address, namespace, apiKey: null, tls: null }, [oldKey]);
  const { workflowService } = temporal.connection;
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const isKnown = () => workflowService.listWorkflowExecutions({ namespace }).catch(() => null);
  await until('Temporal knows the namespace', isKnown);
});
afterAll(async () => {
  await temporal.close();
  await testDb.drop();
});

const rotate = (words: readonly string[] = [], env: Record<string, string> = {}) =>
  runCommand('keys-rotate.js', words, {
    DATABASE_URL: testDb.url,
    REDIS_URL: testServers().redisUrl,
    TEMPORAL_ADDRESS: testServers().temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    SECRET_KEY: randomBytes(32).toString('hex'),
    ENCRYPTION_KEY: newKey.toString('base64'),
    AUDIT_SIGNING_KEY: randomBytes(32).toString('base64'),
    ENCRYPTION_KEY_PREVIOUS: oldKey.toString('base64'),
    ...env,
  });

async function store(cipher = oldCipher) {
  const { id: userId } = await createTestUser(testDb.db);
  const order = {
    id: randomUUID(),
    userId,
    provider: 'openai',
    apiKey: 'sk-0123456789ab',
  } as const;
  return storeLlmKey(testDb.db, cipher, order);
}

async function archive(pipelineCipher: ArchiveCipher): Promise<string> {
  const { id: userId } = await createTestUser(testDb.db);
  const pipelineId = await admittedRun(testDb.db, { userId }, new Date());
  const sealed = await pipelineCipher.seal('a bundle', pipelineId);
  await saveArchive(testDb.db, { ...sealed, pipelineId, head: 'h', archivedAt: new Date() });
  return pipelineId;
}

test('archives are sealed anew, too, and their key may not go before', async () => {
  const pipelineId = await archive(createArchiveCipher([oldKey]));
  const early = await rotate(['--drop', oldId]);
  expect(early).toMatchObject({ code: 1 });
  expect(early.output).toContain(`Keep key ${oldId}: 1 archives need it`);
  const rotated = await rotate();
  expect(rotated).toMatchObject({ code: 0 });
  expect(rotated.output).toContain('Sealed 1 archives anew.');
  const read = () =>
    testDb.db
      .selectFrom('archives')
      .selectAll()
      .where('pipelineId', '=', pipelineId)
      .executeTakeFirstOrThrow();
  expect(await createArchiveCipher([newKey]).open(await read(), pipelineId)).toBe('a bundle');
  const lost = await archive(createArchiveCipher([randomBytes(32)]));
  const unreadable = await rotate();
  expect(unreadable).toMatchObject({ code: 1 });
  expect(unreadable.output).toContain(`1 archives open with none of these keys (${lost})`);
  await testDb.db.deleteFrom('pipelineExecutions').where('id', '=', lost).execute();
});

test('an old key may go when no stored key and no workflow needs it any more', async () => {
  await store();
  await store();
  await store(newCipher);
  const handle = await temporal.client.workflow.start('nobodyRunsThis', {
    workflowId: randomUUID(),
    taskQueue: randomUUID(),
    args: ['sealed with the old key'],
  });

  const early = await rotate(['--drop', oldId]);
  expect(early).toMatchObject({ code: 1 });
  expect(early.output).toContain(`Keep key ${oldId}: 2 stored vendor keys need it`);

  const first = await rotate();
  expect(first.code).toBe(0);
  expect(first.output).toContain(`Sealed 2 stored vendor keys anew, with key ${newId}.`);
  expect(first.output).toContain(`${newId}  ENCRYPTION_KEY: 3 vendor keys`);
  expect(first.output).toContain(`${oldId}  ENCRYPTION_KEY_PREVIOUS, number 1: 0 vendor keys`);
  const second = await rotate();
  expect([second.code, second.output]).toEqual([0, expect.stringContaining('Sealed 0 stored')]);

  const keeps = async (what: string) => (await rotate(['--drop', oldId])).output.includes(what);
  await until('the open workflow is found', () => keeps('1 open and 0 retained'));
  await handle.terminate('done');
  await until('the retained one is found', () => keeps('0 open and 1 retained'));

  const unused = randomBytes(32);
  const [unusedId = ''] = createSecretCipher([unused]).seals;
  const { code, output } = await rotate(['--drop', unusedId], {
    ENCRYPTION_KEY_PREVIOUS: `${oldKey.toString('base64')},${unused.toString('base64')}`,
  });
  expect([code, output]).toEqual([0, expect.stringContaining(`Nothing needs key ${unusedId}`)]);
});

test('a key that is dropped or lost is needed by no start any more', async () => {
  const [first, second] = [randomBytes(32), randomBytes(32)];
  const [firstId = '', secondId = ''] = createSecretCipher([first, second]).seals;
  const given = {
    ENCRYPTION_KEY: second.toString('base64'),
    ENCRYPTION_KEY_PREVIOUS: first.toString('base64'),
  };
  const need = (...keys: readonly Buffer[]) => findLackingKeys(testDb.db, keys);
  await testDb.db.deleteFrom('userLlmKeys').execute();
  await testDb.db.deleteFrom('archives').execute();
  expect(await need(first)).toBeNull();
  expect(await need(second, first)).toBeNull();
  expect(await need(second)).toContain(`keys:rotate -- --lost ${firstId}`);
  expect(await rotate(['--drop', firstId], given)).toMatchObject({ code: 0 });
  expect(await need(second)).toBeNull();

  expect(await need(newKey)).toContain(secondId);
  const refused = await rotate(['--lost', newId]);
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('is not lost')]);
  expect(await rotate(['--lost', secondId])).toMatchObject({ code: 0 });
  expect(await need(newKey)).toContain(oldId); // rotate was given it as well: noted with the others
  expect(await need(newKey, oldKey)).toBeNull();
});

test('keys that nothing here opens are named, and the command ends with an error', async () => {
  const lost = await store(createSecretCipher([randomBytes(32)]));
  const { code, output } = await rotate();
  expect(code).toBe(1);
  expect(output).toContain(`1 vendor keys open with none of these keys (rows ${lost.id})`);
  await testDb.db.deleteFrom('userLlmKeys').where('id', '=', lost.id).execute();
});

test.each([
  [['--drop'], 'npm run keys:rotate -- --drop <key id>'],
  [['--force'], 'npm run keys:rotate -- --drop <key id>'],
  [['--drop', 'a', 'b'], 'npm run keys:rotate -- --drop <key id>'],
  [['--drop', 'ffffffff'], `No key ffffffff in ENCRYPTION_KEY_PREVIOUS; known there: ${oldId}.`],
  [['--drop', newId], `No key ${newId} in ENCRYPTION_KEY_PREVIOUS`],
])('%j ends with one sentence', async (words, sentence) => {
  const { code, output } = await rotate(words);
  expect([code, output]).toEqual([1, expect.stringContaining(sentence)]);
});

test('no key is dropped while Temporal cannot be asked', async () => {
  await rotate();
  const { code, output } = await rotate(['--drop', oldId], { TEMPORAL_ADDRESS: '127.0.0.1:9' });
  expect([code, output]).toEqual([1, expect.stringContaining('Temporal at 127.0.0.1:9 cannot')]);
});

test('a value that is no key is named', async () => {
  const { code, output } = await rotate([], { ENCRYPTION_KEY_PREVIOUS: 'short' });
  expect([code, output]).toEqual([
    1,
    expect.stringContaining('ENCRYPTION_KEY_PREVIOUS must be base64 of exactly 32 bytes'),
  ]);
});
