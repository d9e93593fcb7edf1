import { randomBytes, randomUUID } from 'node:crypto';
import * as llmKeys from '../../../db/users/llm-keys.js';
import { createSecretCipher } from '../../../db/users/secret-cipher.js';
import type { Vendor } from '../../../domain/agents/models.js';
import { createTestUser, testDbOfFile } from '../../support/servers.js';

const testDb = testDbOfFile();
let userId: string;
const cipher = createSecretCipher([randomBytes(32)]);
beforeEach(async () => {
  ({ id: userId } = await createTestUser(testDb.db));
});

async function store(provider: Vendor, isValid: boolean) {
  const order = { id: randomUUID(), userId, provider, apiKey: `sk-${provider}-0123456789` };
  const row = await llmKeys.storeLlmKey(testDb.db, cipher, order);
  await llmKeys.recordValidation(testDb.db, { keyId: row.id, nonce: row.nonce, isValid });
  return row;
}

async function breakKey(keyId: string): Promise<void> {
  await testDb.db
    .updateTable('userLlmKeys')
    .set({ sealedBy: 'gone' })
    .where('id', '=', keyId)
    .execute();
}

test('only active and valid keys are usable', async () => {
  await store('openai', true);
  await store('anthropic', false);
  const off = await store('google', true);
  await testDb.db
    .updateTable('userLlmKeys')
    .set({ isActive: false })
    .where('id', '=', off.id)
    .execute();
  const usable = await llmKeys.findUsableKeys(testDb.db, userId);
  expect(usable.map((row) => row.provider)).toEqual(['openai']);
  const opened = await llmKeys.openKeys(testDb.db, cipher, userId);
  expect(opened).toMatchObject([{ provider: 'openai', apiKey: 'sk-openai-0123456789' }]);
});

test('a key that cannot be opened is left out while another one can', async () => {
  const broken = await store('openai', true);
  await store('anthropic', true);
  await breakKey(broken.id);
  const opened = await llmKeys.openKeys(testDb.db, cipher, userId);
  expect(opened.map((key) => key.provider)).toEqual(['anthropic']);
});

test('keys of which none opens are llm-key-unreadable; no keys are none', async () => {
  expect(await llmKeys.openKeys(testDb.db, cipher, userId)).toEqual([]);
  const broken = await store('openai', true);
  await breakKey(broken.id);
  await expect(llmKeys.openKeys(testDb.db, cipher, userId)).rejects.toMatchObject({
    code: 'llm-key-unreadable',
  });
});

test('a failure to open that is no fault of a key is no answer about keys', async () => {
  await store('openai', true);
  const open = () => {
    throw new TypeError('a mistake of ours');
  };
  const opening = llmKeys.openKeys(testDb.db, { ...cipher, open }, userId);
  await expect(opening).rejects.toThrow('a mistake of ours');
});

test('a key that is missing, or of another user, is not opened', async () => {
  const { id: keyId } = await store('openai', true);
  const stranger = await createTestUser(testDb.db);
  const notFound = expect.objectContaining({ code: 'not-found' });
  for (const key of [
    { userId, keyId: randomUUID() },
    { userId: stranger.id, keyId },
  ]) {
    await expect(llmKeys.openKey(testDb.db, cipher, key)).rejects.toEqual(notFound);
  }
});

test('a key that its vendor refused is invalid until it is checked, unless it was replaced', async () => {
  const { id: keyId, nonce } = await store('openai', true);
  const isValid = async () =>
    (await llmKeys.findLlmKey(testDb.db, { userId, keyId }))?.isValid === true;
  expect(await llmKeys.recordRefusal(testDb.db, { keyId, nonce: Buffer.alloc(12) })).toBe(false);
  expect(await isValid()).toBe(true);
  expect(await llmKeys.recordRefusal(testDb.db, { keyId, nonce })).toBe(true);
  expect(await isValid()).toBe(false);
  expect(await llmKeys.recordRefusal(testDb.db, { keyId, nonce })).toBe(false);
  await llmKeys.recordValidation(testDb.db, { keyId, nonce, isValid: true });
  expect(await isValid()).toBe(true);
});

test('parallel registrations of one provider end in one row', async () => {
  await Promise.all(Array.from({ length: 8 }, () => store('openai', false)));
  expect(await llmKeys.listLlmKeys(testDb.db, userId)).toHaveLength(1);
});

test.each([
  ['abcdefghij', 'abcde'],
  ['x'.repeat(23), 'x'.repeat(11)],
  ['x'.repeat(24), 'x'.repeat(12)],
  ['x'.repeat(200), 'x'.repeat(12)],
])('of %j the prefix is %j', (apiKey, prefix) => {
  expect(llmKeys.prefixOf(apiKey)).toBe(prefix);
});

test('a key notes when it was used, the others of its user do not', async () => {
  const row = await store('openai', true);
  const other = await store('google', true);
  await llmKeys.markKeyUsed(testDb.db, row.id);
  const found = await llmKeys.findLlmKey(testDb.db, { userId, keyId: row.id });
  expect(found?.lastUsedAt).toBeInstanceOf(Date);
  const unused = await llmKeys.findLlmKey(testDb.db, { userId, keyId: other.id });
  expect(unused?.lastUsedAt).toBeNull();
});
