import { createHash, randomUUID } from 'node:crypto';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const make = (name: unknown = 'script', by = person) =>
  api.send('POST', '/api-keys', { token: by.token, body: { name } });
const list = () => api.send('GET', '/api-keys', { token: person.token });
const remove = (id: string, by = person) =>
  api.send('DELETE', `/api-keys/${id}`, { token: by.token });
const withKey = (key: string, method: string, path: string, body?: unknown) =>
  api.send(method, path, {
    headers: { 'X-API-Key': key },
    ...(body === undefined ? {} : { body }),
  });
const switchOff = (id: string) =>
  api.db.updateTable('apiKeys').set({ isActive: false }).where('id', '=', id).execute();

test('a new key is shown this once, as sk- and 32 hex digits', async () => {
  const { status, body } = await make('배포 스크립트');
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    name: '배포 스크립트',
    key: expect.stringMatching(/^sk-[\da-f]{32}$/),
    key_prefix: body.key.slice(0, 11),
    is_active: true,
    last_used_at: null,
    created_at: expect.stringMatching(/Z$/),
  });
  const { key, ...rest } = body;
  const listed = await list();
  expect([listed.status, listed.body]).toEqual([200, [rest]]);
  expect(JSON.stringify(listed.body)).not.toContain(key.slice(11));
});

test('of a key only its SHA-256 and its prefix are stored, and nothing more is logged', async () => {
  const { key } = (await make()).body;
  const row = await api.db
    .selectFrom('apiKeys')
    .selectAll()
    .where('userId', '=', person.id)
    .executeTakeFirstOrThrow();
  expect(row.keyHash).toBe(createHash('sha256').update(key).digest('hex'));
  for (const text of [JSON.stringify(row), JSON.stringify(api.lines())]) {
    expect(text).not.toContain(key.slice(11));
  }
  const line = api.lines().find((entry) => entry['keyId'] === row.id);
  expect(line).toMatchObject({ event: 'api key created', userId: person.id, keyName: 'script' });
});

test.each([
  [undefined, 'Field required'],
  [null, 'Input should be a valid string'],
  [7, 'Input should be a valid string'],
  ['', 'String should have at least 1 character'],
  ['x'.repeat(101), 'String should have at most 100 characters'],
  ['a\0b', 'Value error, text must not contain NUL characters'],
])('the name %j is 422: %s', async (name, msg) => {
  const answer = await api.send('POST', '/api-keys', { token: person.token, body: { name } });
  expect([answer.status, answer.body]).toEqual([422, { detail: [{ field: 'name', msg }] }]);
});

test('a name of 100 characters fits, and may be used twice', async () => {
  expect((await make('🙂'.repeat(100))).status).toBe(201);
  expect((await make('🙂'.repeat(100))).status).toBe(201);
});

test('keys are listed newest first, inactive ones included, and only the caller’s', async () => {
  const made = [await make('one'), await make('two'), await make('three')];
  await make('theirs', await api.register());
  await switchOff(made[1]?.body.id);
  const { body } = await list();
  expect(body.map((key: { name: string }) => key.name)).toEqual(['three', 'two', 'one']);
  expect(body.map((key: { is_active: boolean }) => key.is_active)).toEqual([true, false, true]);
});

test('a key signs its owner in on every route, and its use is dated', async () => {
  const { id, key } = (await make()).body;
  expect((await withKey(key, 'GET', '/auth/me')).body.id).toBe(person.id);
  expect((await withKey(key, 'POST', '/conversations', { title: 'by key' })).status).toBe(201);
  const second = await withKey(key, 'POST', '/api-keys', { name: 'made by a key' });
  expect(second.status).toBe(201);
  const [, first] = (await withKey(second.body.key, 'GET', '/api-keys')).body;
  expect(first).toMatchObject({ id, last_used_at: expect.stringMatching(/Z$/) });
  expect((await withKey(key, 'DELETE', `/api-keys/${second.body.id}`)).status).toBe(204);
});

test('a key wins over a token, also when it is a bad one', async () => {
  const { key } = (await make()).body;
  const other = await api.register();
  const ask = (apiKey: string) =>
    api.send('GET', '/auth/me', { token: other.token, headers: { 'X-API-Key': apiKey } });
  expect((await ask(key)).body.id).toBe(person.id);
  const bad = await ask(`sk-${'0'.repeat(32)}`);
  expect([bad.status, bad.body]).toEqual([401, { detail: 'Invalid API key' }]);
  expect((await ask('')).body.id).toBe(other.id);
});

test('a deleted key, and one switched off, is refused at once', async () => {
  const [deleted, off] = [(await make()).body, (await make()).body];
  const answer = await remove(deleted.id);
  expect([answer.status, answer.body]).toEqual([204, null]);
  const line = { event: 'api key deleted', userId: person.id, keyId: deleted.id };
  expect(api.lines()).toContainEqual(expect.objectContaining({ ...line, keyName: 'script' }));
  await switchOff(off.id);
  for (const { key } of [deleted, off]) {
    const { status, body } = await withKey(key, 'GET', '/auth/me');
    expect([status, body]).toEqual([401, { detail: 'Invalid API key' }]);
  }
  expect((await remove(deleted.id)).status).toBe(404);
  expect((await list()).body.map(({ id }: { id: string }) => id)).toEqual([off.id]);
});

test('someone else’s key is exactly like a missing one', async () => {
  const theirs = await make('theirs', await api.register());
  const [foreign, missing] = [await remove(theirs.body.id), await remove(randomUUID())];
  expect([foreign.status, foreign.body]).toEqual([404, { detail: 'API key not found' }]);
  expect([missing.status, missing.body]).toEqual([foreign.status, foreign.body]);
  expect([...missing.headers.keys()]).toEqual([...foreign.headers.keys()]);
  expect((await withKey(theirs.body.key, 'GET', '/auth/me')).status).toBe(200);
});

test('an id that is none is 422 on the path', async () => {
  const { status, body } = await remove('no-id');
  expect([status, body.detail]).toEqual([
    422,
    [{ field: 'path.key_id', msg: 'Input should be a valid UUID' }],
  ]);
});

test('without signing in there is nothing to see', async () => {
  for (const [method, path] of [
    ['POST', '/api-keys'],
    ['GET', '/api-keys'],
    ['DELETE', `/api-keys/${randomUUID()}`],
  ] as const) {
    const { status, body } = await api.send(method, path);
    expect([status, body]).toEqual([401, { detail: 'Not authenticated' }]);
  }
});

test('100 requests at once make 20 active keys, and not one more', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => make()));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
  const refused = answers.filter(({ status }) => status === 400);
  expect(refused).toHaveLength(80);
  expect(refused[0]?.body).toEqual({ detail: 'API key limit reached (max 20)' });
  expect((await list()).body).toHaveLength(20);
});

test('inactive keys do not count, and a deleted one makes room', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => make()));
  await switchOff(made[0]?.body.id);
  expect((await make()).status).toBe(201);
  expect((await make()).status).toBe(400);
  await remove(made[1]?.body.id);
  expect((await make()).status).toBe(201);
});
