import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiError, createClient, refreshWith, type TokenPair } from '../../client/index.js';
import { createTokens } from '../../api/auth/tokens.js';
import { SECRET_KEY, startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  api = await startApiServer();
  person = await api.register();
  client = createClient({ baseUrl: api.url, token: person.token });
});
afterAll(() => api.close());

/** A token of the person's that has run out. */
async function oldToken(): Promise<string> {
  const tokens = createTokens({
    secretKey: SECRET_KEY,
    algorithm: 'HS256',
    accessMinutes: -5,
    refreshDays: 1,
  });
  const { id, email } = person;
  return tokens.issueAccess({ id, email, role: 'free', displayName: 'Somebody' });
}

async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

test('a call sends path, query and body, and gives back status and body', async () => {
  const made = await client.post('/api/v1/conversations', { body: { title: 'Two words' } });
  expect(made).toMatchObject({ status: 201, body: { title: 'Two words' } });
  const { id } = made.body;
  const read = await client.get('/api/v1/conversations/{conversation_id}', {
    params: { conversation_id: id },
  });
  expect(read.body).toMatchObject({ id });
  const history = await client.get('/api/v1/stats/pipeline-history', { query: { limit: 1 } });
  expect(history.body).toEqual([]);
  const { body: page } = await client.get('/metrics');
  expect(page).toContain('http_requests_total');
});

test('what fits no type does not compile', () => {
  const neverCalled = async (): Promise<void> => {
    // @ts-expect-error: no such path
    await client.get('/api/v1/nowhere');
    // @ts-expect-error: the id is missing
    await client.get('/api/v1/conversations/{conversation_id}');
    // @ts-expect-error: a title is a text
    await client.post('/api/v1/conversations', { body: { title: 1 } });
    // @ts-expect-error: there is no such method there
    await client.delete('/api/v1/conversations');
  };
  expect(neverCalled).toBeInstanceOf(Function);
});

test('an API key signs in alone', async () => {
  const made = await client.post('/api/v1/api-keys', { body: { name: 'for scripts' } });
  const script = createClient({ baseUrl: api.url, apiKey: made.body.key });
  expect((await script.get('/api/v1/auth/me')).body.id).toBe(person.id);
  const gone = await client.delete('/api/v1/api-keys/{key_id}', {
    params: { key_id: made.body.id },
  });
  expect(gone).toMatchObject({ status: 204, body: null });
  expect((await failureOf(script.get('/api/v1/auth/me'))).status).toBe(401);
});

describe('a refusal', () => {
  test('carries the API’s words and the id of the request', async () => {
    const error = await failureOf(
      client.get('/api/v1/pipelines/{pipeline_id}/status', { params: { pipeline_id: 'a b/c' } }),
    );
    expect(error).toMatchObject({ status: 404, detail: 'Pipeline run not found', fields: [] });
    expect(error.requestId).toMatch(/^[\w-]+$/);
  });

  test('names the fields of a 422', async () => {
    const error = await failureOf(client.post('/api/v1/conversations', { body: { title: '' } }));
    expect(error.status).toBe(422);
    expect(error.fields).toEqual([{ field: 'title', msg: expect.any(String) }]);
    expect(error.message).toContain('title: ');
  });

  test('says when to try again', async () => {
    const busy = createServer((_request, response) => {
      response.writeHead(429, { 'retry-after': '7' }).end('slow down');
    });
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const { port } = busy.address() as AddressInfo;
    const impatient = createClient({ baseUrl: `http://127.0.0.1:${port}` });
    const error = await failureOf(impatient.get('/health'));
    busy.closeAllConnections();
    await new Promise((resolve) => busy.close(resolve));
    expect(error).toMatchObject({ status: 429, detail: 'slow down', retryAfterSeconds: 7 });
  });
});

describe('with an old token', () => {
  test('calls at the same time share one refresh, and are tried once more', async () => {
    const pairs: TokenPair[] = [];
    const refresh = refreshWith({
      baseUrl: api.url,
      refreshToken: (await api.register()).refreshToken,
      onTokens: (pair) => pairs.push(pair),
    });
    const stale = createClient({ baseUrl: api.url, token: await oldToken(), refresh });
    const answers = await Promise.all([1, 2, 3].map(() => stale.get('/api/v1/auth/me')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(pairs).toHaveLength(1);
    expect(stale.token()).toBe(pairs[0]?.access_token);
    await stale.refresh(); // with the refresh token of the first pair
    expect(pairs).toHaveLength(2);
    expect((await stale.get('/api/v1/auth/me')).status).toBe(200);
  });

  test('a session that has ended gives 401', async () => {
    const { refreshToken } = person;
    const twice = refreshWith({ baseUrl: api.url, refreshToken });
    const used = refreshWith({ baseUrl: api.url, refreshToken });
    await twice();
    const over = createClient({ baseUrl: api.url, token: await oldToken(), refresh: used });
    const error = await failureOf(over.get('/api/v1/auth/me'));
    expect(error).toMatchObject({ status: 401, detail: 'Token has expired' });
  });

  test('a token that is refused again is not refreshed again', async () => {
    const token = await oldToken();
    let refreshes = 0;
    const hopeless = createClient({
      baseUrl: api.url,
      token,
      refresh: () => {
        refreshes += 1;
        return Promise.resolve(token);
      },
    });
    expect((await failureOf(hopeless.get('/api/v1/auth/me'))).status).toBe(401);
    expect(refreshes).toBe(1);
  });

  test('a wrong password is no old token', async () => {
    let refreshes = 0;
    const refresh = () => Promise.resolve(String((refreshes += 1)));
    const visitor = createClient({ baseUrl: api.url, refresh });
    const body = { email: person.email, password: 'Wrong-1234' };
    const error = await failureOf(visitor.post('/api/v1/auth/login', { body }));
    expect(error.detail).toMatch(/invalid/i);
    expect(refreshes).toBe(0);
  });
});
