import { randomBytes, randomUUID } from 'node:crypto';
import { openKey, recordValidation } from '../../db/users/llm-keys.js';
import { createSecretCipher } from '../../db/users/secret-cipher.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
const cipher = createSecretCipher([randomBytes(32)]);
beforeAll(async () => {
  api = await startApiServer({ deps: { secretCipher: cipher } });
});
beforeEach(async () => {
  person = await api.register();
  vendorSays('valid');
});
afterAll(() => api.close());

/** As the real one behaves: it records what the vendor said. */
function vendorSays(outcome: 'valid' | 'invalid' | 'unchecked', models: string[] = []): void {
  api.workflows.validateKey = async (order) => {
    const key = await openKey(api.db, cipher, order);
    if (outcome !== 'unchecked') {
      const isValid = outcome === 'valid';
      await recordValidation(api.db, { keyId: key.id, nonce: key.nonce, isValid });
    }
    return { outcome, message: `the vendor says ${outcome}`, models };
  };
}

const SECRET = 'sk-test-AbCdEfGhIjKlMnOpQrStUvWxYz';
const store = (provider: unknown = 'openai', apiKey: unknown = SECRET) =>
  api.send('POST', '/llm-keys', { token: person.token, body: { provider, api_key: apiKey } });
const list = () => api.send('GET', '/llm-keys', { token: person.token });
const remove = (id: string) => api.send('DELETE', `/llm-keys/${id}`, { token: person.token });
const validate = (id: string) =>
  api.send('POST', `/llm-keys/${id}/validate`, { token: person.token });

test('a valid key is stored with no more of it to see than its prefix', async () => {
  const { status, body } = await store('OpenAI');
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.any(String),
    provider: 'openai',
    key_prefix: 'sk-test-AbCd',
    is_active: true,
    is_valid: true,
    last_used_at: null,
    last_validated_at: expect.stringMatching(/Z$/),
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
  });
  expect((await list()).body).toEqual([body]);
});

test.each([
  ['OPENAI', 'openai'],
  ['Anthropic', 'anthropic'],
  ['google', 'google'],
])('the provider may be spelt %s', async (spelling, provider) => {
  const { status, body } = await store(spelling);
  expect([status, body.provider, body.is_valid]).toEqual([201, provider, true]);
});

test.each([10, 500])('a key of %i characters fits', async (length) => {
  expect((await store('openai', 'k'.repeat(length))).status).toBe(201);
});

test('its registration and its end are logged, with whose and which it is', async () => {
  vendorSays('invalid');
  const { body } = await store();
  await remove(body.id);
  const { id: userId } = person;
  const lines = api.lines().filter((line) => line['userId'] === userId);
  const registered = {
    event: 'llm key registered',
    userId,
    provider: 'openai',
    outcome: 'invalid',
  };
  expect(lines).toContainEqual(expect.objectContaining(registered));
  const deleted = { event: 'llm key deleted', userId, keyId: body.id };
  expect(lines).toContainEqual(expect.objectContaining(deleted));
});

test.each(['invalid', 'unchecked'] as const)('an %s key is stored anyway', async (outcome) => {
  vendorSays(outcome);
  const { status, body } = await store();
  expect([status, body.is_valid]).toEqual([201, false]);
  expect(body.last_validated_at === null).toBe(outcome === 'unchecked');
});

test('no row and no log line holds the key', async () => {
  await store();
  const { rows } = await api.db
    .selectFrom('userLlmKeys')
    .selectAll()
    .where('userId', '=', person.id)
    .execute()
    .then((found) => ({ rows: found }));
  const stored = rows.map((row) => JSON.stringify(row) + row.encryptedKey.toString('latin1'));
  for (const text of [...stored, JSON.stringify(api.lines())]) {
    expect(text).not.toContain(SECRET.slice(12));
  }
  expect(rows[0]?.encryptedKey).toHaveLength(SECRET.length + 16);
  expect(rows[0]?.nonce).toHaveLength(12);
});

test('a new key replaces the provider’s present one under the same id, active again', async () => {
  const first = await store();
  await api.db
    .updateTable('userLlmKeys')
    .set({ isActive: false, lastUsedAt: new Date() })
    .where('id', '=', first.body.id)
    .execute();
  vendorSays('unchecked');
  const second = await store('openai', 'sk-another-key-0123456789');
  expect(second.status).toBe(201);
  expect(second.body).toMatchObject({
    id: first.body.id,
    key_prefix: 'sk-another-k',
    is_active: true,
    is_valid: false,
    last_validated_at: null,
  });
  const opened = await openKey(api.db, cipher, { userId: person.id, keyId: first.body.id });
  expect(opened.apiKey).toBe('sk-another-key-0123456789');
});

test('a check that ends after the key was replaced does not touch the new key', async () => {
  let finishCheck = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    finishCheck = resolve;
  });
  const { body } = await store();
  const old = await openKey(api.db, cipher, { userId: person.id, keyId: body.id });
  vendorSays('unchecked');
  const replaced = store('openai', 'sk-another-key-0123456789');
  void replaced.then(() => {
    finishCheck();
  });
  await held;
  await recordValidation(api.db, { keyId: old.id, nonce: old.nonce, isValid: true });
  expect((await list()).body[0]).toMatchObject({ is_valid: false });
});

test('a short key shows at most half of itself', async () => {
  const { body } = await store('openai', 'abcdefghij');
  expect(body.key_prefix).toBe('abcde');
});

test.each([...['\n', '\r\n', ' ', '\t', '\u00a0', '\u200b', '\ufeff', '\u3000', ' \u2060\n']])(
  '%j around a key is not stored',
  async (around) => {
    const apiKey = `${around}sk-trimmed-0123456789${around}`;
    const body = { provider: 'openai', api_key: apiKey };
    const answer = await api.send('POST', '/llm-keys', { token: person.token, body });
    expect(answer.status).toBe(201);
    expect(answer.body.key_prefix).toMatch(/^sk-trim/);
  },
);

test('an unknown provider is 400, and the answer repeats nothing key-shaped', async () => {
  const { status, body } = await store('mistral');
  expect([status, body]).toEqual([400, { detail: 'Unsupported provider: mistral' }]);
  expect((await store(SECRET)).body.detail).not.toContain(SECRET);
});

test.each([
  ['sk-short', 'String should have at least 10 characters'],
  ['x'.repeat(501), 'String should have at most 500 characters'],
  [undefined, 'Field required'],
  ['sk-with\nnewline', 'Value error, API key must not contain control characters'],
])('the key %j is 422: %s', async (apiKey, msg) => {
  const body =
    apiKey === undefined ? { provider: 'openai' } : { provider: 'openai', api_key: apiKey };
  const answer = await api.send('POST', '/llm-keys', { token: person.token, body });
  expect([answer.status, answer.body]).toEqual([422, { detail: [{ field: 'api_key', msg }] }]);
});

test('validating answers what the vendor said and records it', async () => {
  const { body } = await store();
  vendorSays('invalid');
  const refused = await validate(body.id);
  expect([refused.status, refused.body]).toEqual([
    200,
    {
      provider: 'openai',
      is_valid: false,
      message: 'the vendor says invalid',
      models_available: [],
    },
  ]);
  expect((await list()).body[0].is_valid).toBe(false);
  vendorSays('valid', ['gpt-4o']);
  expect((await validate(body.id)).body).toMatchObject({
    is_valid: true,
    models_available: ['gpt-4o'],
  });
});

test('a key that cannot be opened any more is 200, invalid, and asks to register it again', async () => {
  const { body } = await store();
  await api.db
    .updateTable('userLlmKeys')
    .set({ sealedBy: 'gone0000' })
    .where('id', '=', body.id)
    .execute();
  const answer = await validate(body.id);
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    provider: 'openai',
    is_valid: false,
    message: expect.stringMatching(/register it again/),
    models_available: [],
  });
  expect((await list()).body[0]).toMatchObject({ is_valid: false });
});

test('an unexpected failure to open a key is a server error, and judges no key', async () => {
  const open = () => {
    throw new Error('inner');
  };
  const odd = await startApiServer({ deps: { secretCipher: { ...cipher, open } } });
  const { token } = await odd.register();
  const body = { provider: 'openai', api_key: SECRET };
  const stored = await odd.send('POST', '/llm-keys', { token, body });
  const answer = await odd.send('POST', `/llm-keys/${stored.body.id}/validate`, { token });
  expect([answer.status, answer.body]).toEqual([500, { detail: 'Internal server error' }]);
  const [listed] = (await odd.send('GET', '/llm-keys', { token })).body;
  expect(listed.last_validated_at).toBeNull();
  await odd.close();
});

test('deleting answers 204 without a body, then 404', async () => {
  const { body } = await store();
  const gone = await remove(body.id);
  expect([gone.status, gone.body]).toEqual([204, null]);
  expect((await list()).body).toEqual([]);
  const again = await remove(body.id);
  expect([again.status, again.body]).toEqual([404, { detail: 'LLM key not found' }]);
});

test('a foreign key is exactly like a missing one', async () => {
  const { body } = await store();
  const stranger = await api.register();
  for (const id of [body.id, randomUUID()]) {
    for (const [method, path] of [
      ['DELETE', `/llm-keys/${id}`],
      ['POST', `/llm-keys/${id}/validate`],
    ] as const) {
      const answer = await api.send(method, path, { token: stranger.token });
      expect([answer.status, answer.body]).toEqual([404, { detail: 'LLM key not found' }]);
    }
  }
  expect((await list()).body).toHaveLength(1);
});

test('an id that is no UUID is 422', async () => {
  expect((await remove('7')).body.detail[0].field).toBe('path.key_id');
  expect((await validate('7')).status).toBe(422);
});

test('every change is published, so that no process goes on with an old key', async () => {
  const { body } = await store();
  const told = () => api.changedKeys.filter((userId) => userId === person.id).length;
  expect(told()).toBeGreaterThan(0);
  const afterStore = told();
  await validate(body.id);
  expect(told()).toBeGreaterThan(afterStore);
  const afterValidate = told();
  await remove(body.id);
  expect(told()).toBeGreaterThan(afterValidate);
});

test('a change that cannot be published is made anyway, and logged', async () => {
  const mute = await startApiServer({
    deps: { keyChanged: () => Promise.reject(new Error('not published')) },
  });
  const { token } = await mute.register();
  const body = { provider: 'openai', api_key: SECRET };
  const stored = await mute.send('POST', '/llm-keys', { token, body });
  expect(stored.status).toBe(201);
  expect((await mute.send('DELETE', `/llm-keys/${stored.body.id}`, { token })).status).toBe(204);
  expect(mute.lines().filter(({ event }) => event === 'key change not told')).toHaveLength(3);
  await mute.close();
});

test('keys come newest first, one per provider', async () => {
  await store('openai');
  await store('anthropic');
  await store('openai');
  const providers = (await list()).body.map((key: { provider: string }) => key.provider);
  expect(providers).toEqual(['anthropic', 'openai']);
});
