/** Decoding payloads of workflows: for administrators only, and never encoding. */
import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { operatorCookie } from '../../api/auth/operator-cookie.js';
import { createDataConverter } from '../../temporal/connection.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { revokeSessions } from '../../db/users/refresh-tokens.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

const UI = 'http://127.0.0.1:8233';
const DECODE = '/codec/decode';

let api: ApiServer;
let admin: Person;
beforeAll(async () => {
  api = await startApiServer();
  admin = await register('admin');
});
afterAll(() => api.close());

async function register(role: 'free' | 'pro' | 'admin'): Promise<Person> {
  const person = await api.register();
  await api.db.updateTable('users').set({ role }).where('id', '=', person.id).execute();
  return person;
}

async function cookieOf(person: Person, headers: Record<string, string> = {}): Promise<string> {
  const answer = await api.send('POST', '/codec/session', { token: person.token, headers });
  expect(answer.status).toBe(204);
  return answer.headers.get('set-cookie') ?? '';
}

/** As the Web UI asks, from its own origin. */
const fromUi = (cookie: string, origin = UI) => ({
  Cookie: cookie.split(';')[0] ?? '',
  Origin: origin,
  'X-Namespace': 'default',
});

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64');

/** @param key which of the encryption keys seals it; 0 is the API's own */
async function sealed(value: unknown, key = 0) {
  const codec = createPayloadCodec(createKeyRing([Buffer.alloc(32, key)]));
  const metadata = { encoding: Buffer.from('json/plain') };
  const plain = { metadata, data: Buffer.from(JSON.stringify(value)) };
  const [payload] = await codec.encode([plain]);
  const entries = Object.entries(payload?.metadata ?? {});
  return {
    metadata: Object.fromEntries(entries.map(([name, bytes]) => [name, base64(bytes)])),
    data: base64(payload?.data ?? ''),
  };
}

const opened = (value: unknown) => ({
  metadata: { encoding: base64('json/plain') },
  data: base64(JSON.stringify(value)),
});

const decode = (token: string, payloads: unknown) =>
  api.send('POST', DECODE, { token, body: { payloads } });

test('an administrator reads what the workflows have sealed, in order', async () => {
  const long = { text: 'far more than gzip needs '.repeat(1_000) };
  const { status, body } = await decode(admin.token, [await sealed(long), await sealed('short')]);
  expect(status).toBe(200);
  expect(body).toEqual({ payloads: [opened(long), opened('short')] });
});

test('what our converter has sealed is what is opened', async () => {
  const [codec] = createDataConverter([Buffer.alloc(32)]).payloadCodecs ?? [];
  const [payload] = (await codec?.encode([{ metadata: {}, data: Buffer.from('x') }])) ?? [];
  const metadata = Object.entries(payload?.metadata ?? {});
  const { body } = await decode(admin.token, [
    {
      metadata: Object.fromEntries(metadata.map(([name, bytes]) => [name, base64(bytes)])),
      data: base64(payload?.data ?? ''),
    },
  ]);
  expect(body).toEqual({ payloads: [{ metadata: {}, data: base64('x') }] });
});

describe('what cannot be opened comes back as it was, and the rest is opened', () => {
  const encrypted = { encoding: base64('binary/encrypted') };
  test.each([
    ['of a key that is no more', () => sealed('x', 7)],
    ['of no codec', () => Promise.resolve(opened('plain'))],
    ['without anything', () => Promise.resolve({})],
    ['without its key', () => Promise.resolve({ metadata: encrypted, data: base64('abc') })],
    ['cut short', async () => ({ ...(await sealed('x')), data: base64('abc') })],
    ['empty', async () => ({ ...(await sealed('x')), data: '' })],
    [
      'changed',
      async () => {
        const payload = await sealed('x');
        const bytes = Buffer.from(payload.data, 'base64');
        bytes[20] = (bytes[20] ?? 0) ^ 1;
        return { ...payload, data: base64(bytes) };
      },
    ],
    [
      'said to be gzip',
      async () => {
        const payload = await sealed('x');
        return { ...payload, metadata: { ...payload.metadata, compression: base64('gzip') } };
      },
    ],
  ])('%s', async (_, make) => {
    const garbage = await make();
    const { status, body } = await decode(admin.token, [garbage, await sealed('fine')]);
    expect(status).toBe(200);
    expect(body.payloads[0]).toMatchObject(garbage);
    expect(body.payloads[1]).toEqual(opened('fine'));
  });

  test('and the log says how many, without a word of them', async () => {
    await decode(admin.token, [await sealed('a secret', 9)]);
    const line = api.lines().findLast(({ event }) => event === 'payloads not readable');
    expect(line).toMatchObject({ payloads: 1, userId: admin.id });
    expect(JSON.stringify(api.lines())).not.toContain('a secret');
  });
});

test.each([
  ['no list', {}],
  ['no payloads', { payloads: 'x' }],
  ['a payload that is none', { payloads: [1] }],
  ['data that is no text', { payloads: [{ data: 1 }] }],
  ['too many at once', { payloads: Array.from({ length: 1_001 }, () => ({})) }],
  [
    'too much metadata',
    {
      payloads: [{ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [at, ''])) }],
    },
  ],
])('%s is a 422', async (_, body) => {
  expect(await api.send('POST', DECODE, { token: admin.token, body })).toMatchObject({
    status: 422,
  });
});

test('more than the limit of a body is a 413', async () => {
  const data = 'A'.repeat(8 * 1_048_576);
  expect((await decode(admin.token, [{ data }])).status).toBe(413);
});

test.each(['free', 'pro'] as const)('a %s user is refused, and given no cookie', async (role) => {
  const person = await register(role);
  const refused = { status: 403, body: { detail: 'Insufficient permissions' } };
  expect(await decode(person.token, [await sealed('x')])).toMatchObject(refused);
  const answer = await api.send('POST', '/codec/session', { token: person.token });
  expect(answer).toMatchObject(refused);
  expect(answer.headers.get('set-cookie')).toBeNull();
});

test('encoding is offered to no caller', async () => {
  const plain = { payloads: [opened('x')] };
  for (const path of ['/codec/encode', '/codec', '/codec/download']) {
    const answer = await api.send('POST', path, { token: admin.token, body: plain });
    expect(answer.status).toBe(404);
  }
});

describe('the cookie of an administrator', () => {
  test('has payloads decoded for the Web UI, which sends nothing else', async () => {
    const headers = fromUi(await cookieOf(admin));
    const body = { payloads: [await sealed('x')] };
    const answer = await api.send('POST', `${DECODE}?preserveStorageRefs=true`, { headers, body });
    expect(answer).toMatchObject({ status: 200, body: { payloads: [opened('x')] } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
  });

  test.each(['http://127.0.0.1:9999', 'http://localhost:3000', 'null', ''])(
    'is not taken from the origin "%s"',
    async (origin) => {
      const headers = fromUi(await cookieOf(admin), origin);
      const answer = await api.send('POST', DECODE, { headers, body: { payloads: [] } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  test('opens nothing else', async () => {
    const headers = fromUi(await cookieOf(admin));
    for (const [method, path] of [
      ['GET', '/auth/me'],
      ['POST', '/codec/session'],
    ] as const) {
      expect((await api.send(method, path, { headers })).status).toBe(401);
    }
  });

  test('cannot be read by scripts, nor sent by other sites or to other paths', async () => {
    expect(await cookieOf(admin)).toMatch(
      /^agentforge_operator=[\w.-]+; Max-Age=28800; Path=\/api\/v1\/codec; HttpOnly; SameSite=Strict$/,
    );
  });

  test.each(['localhost.evil.example', 'api.example.com', '10.0.0.1:8000'])(
    'is for secure connections alone at %s',
    (host) => {
      expect(operatorCookie('x', { host, temporalUiOrigins: [] })).toMatch(/; Secure$/);
    },
  );

  test('ends with the role, with the session and at the sign-out', async () => {
    const person = await register('admin');
    const cookie = await cookieOf(person);
    const ask = async (value = cookie) =>
      (await api.send('POST', DECODE, { headers: fromUi(value), body: { payloads: [] } })).status;
    expect(await ask()).toBe(200);
    await api.db.updateTable('users').set({ role: 'pro' }).where('id', '=', person.id).execute();
    expect(await ask()).toBe(403);
    await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', person.id).execute();
    expect(await ask()).toBe(200);
    await revokeSessions(api.db, { userId: person.id, except: null });
    expect(await ask()).toBe(401);
    const out = await api.send('DELETE', '/codec/session');
    expect(out.headers.get('set-cookie')).toMatch(/^agentforge_operator=; Max-Age=0; /);
    expect(await ask('agentforge_operator=')).toBe(401);
  });

  test.each([
    ['garbage', () => Promise.resolve('x.y.z')],
    ['an access token', () => Promise.resolve(admin.token)],
    ['a refresh token', () => Promise.resolve(admin.refreshToken)],
  ])('is not %s', async (_, make) => {
    const headers = fromUi(`agentforge_operator=${await make()}`);
    expect((await api.send('POST', DECODE, { headers, body: { payloads: [] } })).status).toBe(401);
  });

  test('is no access token', async () => {
    const [, token = ''] = /^agentforge_operator=([^;]+)/.exec(await cookieOf(admin)) ?? [];
    expect((await api.send('GET', '/auth/me', { token })).status).toBe(401);
  });

  test('is not given for an API key, which can decode without it', async () => {
    const { body: key } = await api.send('POST', '/api-keys', {
      token: admin.token,
      body: { name: 'k' },
    });
    const headers = { 'X-API-Key': key.key };
    expect((await api.send('POST', '/codec/session', { headers })).status).toBe(400);
    expect(
      await api.send('POST', DECODE, { headers, body: { payloads: [await sealed('x')] } }),
    ).toMatchObject({ status: 200, body: { payloads: [opened('x')] } });
  });

  test('leaves a line in the log of administrators', async () => {
    const person = await register('admin');
    await cookieOf(person);
    const rows = await api.db
      .selectFrom('adminActions')
      .selectAll()
      .where('actorId', '=', person.id)
      .execute();
    expect(rows).toMatchObject([
      { action: 'payload:decode', subject: `user:${person.id}`, details: { seconds: 28_800 } },
    ]);
  });
});

describe('the preflight of the Web UI', () => {
  const preflight = (path: string, origin: string, headers = 'content-type,x-namespace') =>
    api.request(path, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': headers,
      },
    });
  const decodePath = `/api/v1${DECODE}`;

  test('is granted to its origin, with credentials', async () => {
    const { status, headers } = await preflight(decodePath, UI);
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(UI);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    expect(headers.get('access-control-allow-headers')).toBe('Content-Type, X-Namespace');
    expect(headers.get('access-control-allow-methods')).toBe('POST');
  });

  test.each([
    ['another page', decodePath, 'http://evil.example', undefined],
    ['a page that may call the rest', decodePath, 'http://localhost:3000', undefined],
    ['the rest, by the Web UI', '/api/v1/auth/login', UI, 'content-type'],
    ['other headers', decodePath, UI, 'authorization'],
  ])('is refused to %s', async (_, path, origin, wanted) => {
    const { status } = await preflight(path, origin, wanted);
    expect(status).toBe(400);
  });
});

test('the sign-in page runs its own script and nothing else', async () => {
  const response = await api.request('/api/v1/codec/sign-in');
  const page = await response.text();
  const policy = response.headers.get('content-security-policy') ?? '';
  const [, script = ''] = /<script>([\s\S]*)<\/script>/.exec(page) ?? [];
  const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(page) ?? [];
  const hashOf = (text: string) => createHash('sha256').update(text).digest('base64');
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(policy).toContain(`script-src 'sha256-${hashOf(script)}'`);
  expect(policy).toContain(`style-src 'sha256-${hashOf(style)}'`);
  expect(policy).not.toContain('unsafe');
  expect(() => new Script(script)).not.toThrow();
});

test('the sign-in page offers to sign out to those alone who are signed in', async () => {
  const pageFor = async (headers: Record<string, string>) =>
    (await api.request('/api/v1/codec/sign-in', { headers })).text();
  expect(await pageFor({})).toMatch(/id="out"[^>]*hidden/);
  expect(await pageFor({ Cookie: 'agentforge_operator=x' })).not.toMatch(/id="out"[^>]*hidden/);
});
