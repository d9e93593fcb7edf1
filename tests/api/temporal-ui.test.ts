/** The Temporal Web UI behind the API: names, origins, sign-in, and what passes through. */
import { createServer, request as send, type IncomingHttpHeaders, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createTemporalUiServer } from '../../api/temporal-ui/server.js';
import { revokeSessions } from '../../db/users/refresh-tokens.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { findFreePort } from '../../scripts/embedded/ports.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const SETTINGS = {
  Auth: { Enabled: false },
  Codec: {
    Endpoint: '',
    PassAccessToken: true,
    IncludeCredentials: false,
    DefaultErrorMessage: '',
  },
  Version: '2.54.1',
};

let api: ApiServer;
let admin: Person;
let upstream: Server;
let ui: Server;
let port: number;
let seen: Seen[] = [];
beforeAll(async () => {
  port = await findFreePort();
  const origins = ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${port}`);
  const named = [...origins, 'https://temporal.example.com'];
  api = await startApiServer({ config: { temporalUiOrigins: named } });
  admin = await register('admin');
  upstream = createServer({ maxHeaderSize: 262_144 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      response.setHeader('Set-Cookie', ['_csrf=1; Path=/', 'b=2']);
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('X-Frame-Options', 'SAMEORIGIN');
      if (url === '/hang-up') {
        response.socket?.destroy();
      } else if (url.startsWith('/api/v1/settings')) {
        response.end(JSON.stringify(SETTINGS));
      } else {
        response.setHeader('Connection', 'X-Private');
        response.setHeader('X-Private', 'hop');
        response.end('<html>the Web UI</html>');
      }
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  ui = createTemporalUiServer({
    db: api.db,
    tokens: api.tokens,
    logger: silentLogger,
    api: api.handle,
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    origins: named,
  });
  ui.listen(port, '127.0.0.1');
  await once(ui, 'listening');
});
beforeEach(() => {
  seen = [];
});
afterAll(async () => {
  ui.closeAllConnections();
  await new Promise((done) => ui.close(done));
  upstream.closeAllConnections();
  await new Promise((done) => upstream.close(done));
  await api.close();
});

async function register(role: 'free' | 'admin'): Promise<Person> {
  const person = await api.register();
  await api.db.updateTable('users').set({ role }).where('id', '=', person.id).execute();
  return person;
}

/** Plain HTTP: `fetch` chooses the Host itself. */
async function ask(
  path: string,
  { method = 'GET', body, ...headers }: Record<string, string> = {},
): Promise<Got> {
  const asked = send({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: { Host: `127.0.0.1:${port}`, ...headers },
  });
  asked.end(body);
  const [answer] = await once(asked, 'response');
  let text = '';
  for await (const chunk of answer) {
    text += String(chunk);
  }
  return { status: answer.statusCode, headers: answer.headers, text };
}

async function signedIn(person = admin): Promise<string> {
  const { status, headers } = await ask('/api/v1/codec/session', {
    method: 'POST',
    Authorization: `Bearer ${person.token}`,
    Origin: `http://127.0.0.1:${port}`,
  });
  expect(status).toBe(204);
  return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

test.each(['evil.example', 'evil.example:8233', '127.0.0.1', 'localhost:1', '[::1]:9'])(
  'has no such name: "%s"',
  async (host) => {
    const Cookie = await signedIn();
    for (const path of ['/', '/api/v1/settings', '/api/v1/codec/sign-in']) {
      expect((await ask(path, { Host: host, Cookie })).status).toBe(421);
    }
    expect(seen).toEqual([]);
  },
);

test('its own names are taken, in any letters', async () => {
  const Cookie = await signedIn();
  for (const Host of [`localhost:${port}`, `LOCALHOST:${port}`, 'temporal.example.com']) {
    expect((await ask('/', { Host, Cookie })).status).toBe(200);
  }
});

test('users without a session are led to the sign-in page, programs get a status', async () => {
  const page = await ask('/namespaces/default/workflows?query=a');
  expect(page).toMatchObject({ status: 302 });
  expect(page.headers.location).toBe(
    '/api/v1/codec/sign-in?next=%2Fnamespaces%2Fdefault%2Fworkflows%3Fquery%3Da',
  );
  for (const path of ['/api/v1/settings', '/api/v1/namespaces', '/_app/immutable/x.js']) {
    expect((await ask(path)).status).toBe(401);
  }
  expect(
    (await ask('/api/v1/namespaces/default/workflows/x/terminate', { method: 'POST' })).status,
  ).toBe(401);
  expect(seen).toEqual([]);
});

test.each(['garbage', 'a.b.c'])('the cookie "%s" is none', async (value) => {
  expect((await ask('/', { Cookie: `agentforge_temporal_ui=${value}` })).status).toBe(302);
});

test('administrators alone get in, and only while they are', async () => {
  const person = await register('admin');
  const Cookie = await signedIn(person);
  const status = async () => (await ask('/', { Cookie })).status;
  expect(await status()).toBe(200);
  await api.db.updateTable('users').set({ role: 'free' }).where('id', '=', person.id).execute();
  expect(await status()).toBe(403);
  await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', person.id).execute();
  expect(await status()).toBe(200);
  await revokeSessions(api.db, { userId: person.id, except: null });
  expect(await status()).toBe(302);
});

test.each([
  ['another origin', { Origin: 'http://evil.example' }],
  ['another port', { Origin: 'http://127.0.0.1:1' }],
  ['no origin', { Origin: 'null' }],
  ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
  ['a server beside it', { 'Sec-Fetch-Site': 'same-site' }],
  ['a form elsewhere', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }],
])('a page of %s changes nothing', async (_, headers) => {
  const Cookie = await signedIn();
  for (const path of [
    '/api/v1/namespaces/default/workflows/x/terminate',
    '/api/v1/codec/decode',
    '/api/v1/codec/session',
    '/api/v1/auth/login',
  ]) {
    expect((await ask(path, { method: 'POST', Cookie, ...headers })).status).toBe(403);
  }
  expect(seen).toEqual([]);
});

test('people may come by a link, pages of others may read nothing', async () => {
  const Cookie = await signedIn();
  const visit = { Cookie, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' };
  expect((await ask('/', visit)).status).toBe(200);
  expect((await ask('/api/v1/settings', { ...visit, 'Sec-Fetch-Mode': 'no-cors' })).status).toBe(
    403,
  );
  const own = { Cookie, Origin: `http://127.0.0.1:${port}`, 'Sec-Fetch-Site': 'same-origin' };
  expect((await ask('/api/v1/x', { ...own, method: 'POST', body: '{}' })).status).toBe(200);
});

test('its pages have payloads decoded on their own origin', async () => {
  const Cookie = await signedIn();
  for (const [Host, origin] of [
    [`localhost:${port}`, `http://localhost:${port}`],
    ['temporal.example.com', 'https://temporal.example.com'],
  ] as const) {
    const { text, headers } = await ask('/api/v1/settings?', { Cookie, Host });
    expect(JSON.parse(text)).toEqual({
      ...SETTINGS,
      Codec: {
        ...SETTINGS.Codec,
        Endpoint: `${origin}/api/v1/codec`,
        PassAccessToken: false,
        IncludeCredentials: true,
      },
    });
    expect(headers['cache-control']).toBe('no-store');
  }
});

test('payloads are decoded for who has signed in, and for no others', async () => {
  const codec = createPayloadCodec(createKeyRing([Buffer.alloc(32)]));
  const [payload] = await codec.encode([
    { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"secret"') },
  ]);
  const base64 = (bytes: Uint8Array | null | undefined) =>
    Buffer.from(bytes ?? []).toString('base64');
  const entries = Object.entries(payload?.metadata ?? {});
  const metadata = Object.fromEntries(entries.map(([name, bytes]) => [name, base64(bytes)]));
  const decode = (headers: Record<string, string>) =>
    ask('/api/v1/codec/decode', {
      method: 'POST',
      'Content-Type': 'application/json',
      Origin: `http://127.0.0.1:${port}`,
      ...headers,
      body: JSON.stringify({ payloads: [{ metadata, data: base64(payload?.data) }] }),
    });
  const { status, text } = await decode({ Cookie: await signedIn() });
  expect(status).toBe(200);
  expect(JSON.parse(text).payloads[0].data).toBe(base64(Buffer.from('"secret"')));
  expect((await decode({})).status).toBe(401);
});

test('requests go on without our credentials and without what is for one hop', async () => {
  const Cookie = await signedIn();
  await ask('/api/v1/x?a=1', {
    method: 'PUT',
    body: 'hello',
    Cookie: `${Cookie}; _csrf=1; agentforge_operator=x`,
    Origin: `http://127.0.0.1:${port}`,
    Authorization: 'Bearer x',
    'X-API-Key': 'x',
    'X-Forwarded-For': '1.2.3.4',
    Connection: 'close, X-Hop',
    'X-Hop': 'x',
    'X-CSRF-Token': '1',
  });
  const own = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  expect(seen).toMatchObject([
    {
      ...{ method: 'PUT', url: '/api/v1/x?a=1', body: 'hello' },
      headers: { host: own, cookie: '_csrf=1', 'x-csrf-token': '1', origin: `http://${own}` },
    },
  ]);
  for (const name of ['authorization', 'x-api-key', 'x-forwarded-for', 'x-hop']) {
    expect(seen[0]?.headers).not.toHaveProperty(name);
  }
});

test.each(['GET', 'DELETE', 'OPTIONS'])(
  'the body of a %s is no request of its own behind the proxy',
  async (method) => {
    const Cookie = await signedIn();
    const inner = 'POST /api/v1/inner HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    const framing = { 'Transfer-Encoding': 'chunked' };
    expect((await ask('/outer', { method, Cookie, body: inner, ...framing })).status).toBe(200);
    expect(seen).toMatchObject([{ method, url: '/outer', body: inner }]);
  },
);

test('answers come back with strict headers', async () => {
  const { headers, text } = await ask('/', { Cookie: await signedIn() });
  expect(text).toBe('<html>the Web UI</html>');
  expect(headers['set-cookie']).toEqual(['_csrf=1; Path=/', 'b=2']);
  expect(headers).toMatchObject({
    'x-frame-options': 'SAMEORIGIN',
    'x-content-type-options': 'nosniff',
  });
  expect(headers['content-security-policy']).toContain("frame-ancestors 'self'");
  expect(headers).not.toHaveProperty('access-control-allow-origin');
  expect(headers).not.toHaveProperty('x-private');
});

test('what is too large is not passed on, and a Web UI that is away is said so', async () => {
  const Cookie = await signedIn();
  const large = await ask('/api/v1/x', {
    method: 'POST',
    Cookie,
    body: 'x'.repeat(4_194_305),
  }).catch(
    () => ({ status: 413 }), // the rest of it is not read
  );
  expect(large.status).toBe(413);
  expect(await ask('/hang-up', { Cookie })).toMatchObject({ status: 502 });
  expect((await ask('/', { Cookie })).status).toBe(200);
});

test('a page of Markdown, which its address holds, is shown in a frame of the Web UI', async () => {
  const path = `/render?content=${'%EA%B0%80'.repeat(10_000)}`;
  const own = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': 'iframe' };
  expect((await ask(path, { Cookie: await signedIn(), ...own })).status).toBe(200);
  expect(seen[0]?.url).toBe(path);
});

test.each(['http://evil.example/', '*'])('the target %s is refused', async (path) => {
  expect((await ask(path, { Cookie: await signedIn() })).status).toBe(403);
});

test('the cookie is for all of the Web UI, and its end is said there', async () => {
  const { headers } = await ask('/api/v1/codec/session', {
    method: 'POST',
    Authorization: `Bearer ${admin.token}`,
  });
  expect(headers['set-cookie']?.[0]).toMatch(
    /^agentforge_temporal_ui=[\w.-]+; Max-Age=28800; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  const out = await ask('/api/v1/codec/session', { method: 'DELETE' });
  expect(out.headers['set-cookie']?.[0]).toMatch(/^agentforge_temporal_ui=; Max-Age=0; Path=\//);
  expect((await ask('/api/v1/auth/me', { Cookie: await signedIn() })).text).toBe(
    '<html>the Web UI</html>',
  );
});

test('the sign-in page leads back to where one wanted to go, and to no other site', async () => {
  const { text } = await ask('/api/v1/codec/sign-in?next=%2Fx');
  const [, source = ''] = /const isHere = (\/.+\/)\.test\(next\)/.exec(text) ?? [];
  const isHere = new RegExp(source.slice(1, -1));
  expect(['/', '/namespaces?x', '/a//b'].every((next) => isHere.test(next))).toBe(true);
  expect(
    ['//evil', '/\\evil', 'http://evil', '', 'javascript:x'].some((next) => isHere.test(next)),
  ).toBe(false);
  expect(['/\t/evil', '/\n/evil', '/\r\\evil', '/a\n'].some((next) => isHere.test(next))).toBe(
    false,
  );
});
