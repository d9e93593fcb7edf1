/** Sessions of browsers: the refresh token in a cookie of its own path. */
import { randomUUID } from 'node:crypto';
import {
  startApiServer,
  type Answer,
  type ApiServer,
  type Person,
} from '../../support/api-server.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

interface Browser {
  readonly cookie?: string;
  readonly headers?: Record<string, string>;
}

/** As a page of the API's own host asks. */
const ask = (method: string, path: string, { cookie, headers }: Browser = {}, body?: unknown) =>
  api.send(method, path, {
    ...(body === undefined ? {} : { body }),
    headers: { Origin: api.url, ...(cookie === undefined ? {} : { Cookie: cookie }), ...headers },
  });
const credentials = () => ({ email: person.email, password: person.password });
const signIn = (browser: Browser = {}) => ask('POST', '/auth/session', browser, credentials());
const refresh = (browser: Browser) => ask('POST', '/auth/session/refresh', browser);
const signOut = (browser: Browser) => ask('DELETE', '/auth/session', browser);
const me = async (token: string) => (await api.send('GET', '/auth/me', { token })).status;

const setCookieOf = ({ headers }: Answer) => headers.get('Set-Cookie') ?? '';
/** As the browser sends it back, among others. */
const cookieOf = (answer: Answer) => `theme=dark; ${setCookieOf(answer).split(';')[0] ?? ''}; x`;

const REMOVED = /^agentforge_session=; Max-Age=0; Path=\/api\/v1\/auth\/session; HttpOnly/;

test('a sign-in gives the access token to the page and the refresh token to the cookie alone', async () => {
  const answer = await signIn();
  expect([answer.status, answer.body]).toEqual([
    200,
    { access_token: expect.any(String), token_type: 'bearer', expires_in: 1_800 },
  ]);
  const [value, ...attributes] = setCookieOf(answer).split('; ');
  expect(value).toMatch(/^agentforge_session=[\w-]+\.[\w-]+\.[\w-]+$/);
  expect(attributes).toEqual([
    expect.stringMatching(/^Expires=.* GMT$/),
    ...['Path=/api/v1/auth/session', 'HttpOnly', 'SameSite=Strict'],
  ]);
  const days =
    (Date.parse((attributes[0] ?? '').slice('Expires='.length)) - Date.now()) / 86_400_000;
  expect(days).toBeCloseTo(7, 2);
  expect(answer.headers.get('Cache-Control')).toBe('no-store');
  expect(await me(answer.body.access_token)).toBe(200);
});

test('under HTTPS the cookie is for HTTPS alone', async () => {
  const headers = { Origin: api.url.replace('http:', 'https:') };
  expect(setCookieOf(await signIn({ headers }))).toMatch(/; SameSite=Strict; Secure$/);
});

test('a sign-up begins a session, too', async () => {
  const email = `${randomUUID()}@example.com`;
  const account = { email, password: 'Passw0rd', display_name: '새 사람' };
  const answer = await ask('POST', '/auth/session/register', {}, account);
  expect(answer.status).toBe(201);
  expect((await refresh({ cookie: cookieOf(answer) })).status).toBe(200);
  const again = await ask('POST', '/auth/session/register', {}, account);
  expect([again.status, setCookieOf(again)]).toEqual([409, '']);
});

test('a wrong password begins none', async () => {
  const answer = await ask(
    'POST',
    '/auth/session',
    {},
    { ...credentials(), password: 'Wrong0000' },
  );
  expect([answer.status, answer.body, setCookieOf(answer)]).toEqual([
    401,
    { detail: 'Invalid email or password' },
    '',
  ]);
});

test('a refresh renews both tokens, and the session goes on', async () => {
  const first = await signIn();
  const second = await refresh({ cookie: cookieOf(first) });
  expect([second.status, Object.keys(second.body).sort()]).toEqual([
    200,
    ['access_token', 'expires_in', 'token_type'],
  ]);
  expect(cookieOf(second)).not.toBe(cookieOf(first));
  expect((await refresh({ cookie: cookieOf(second) })).status).toBe(200);
});

test('a cookie that is used twice ends its session, and is removed', async () => {
  const first = await signIn();
  const second = await refresh({ cookie: cookieOf(first) });
  const reused = await refresh({ cookie: cookieOf(first) });
  expect([reused.status, reused.body]).toEqual([401, { detail: 'Invalid token' }]);
  expect(setCookieOf(reused)).toMatch(REMOVED);
  expect((await refresh({ cookie: cookieOf(second) })).status).toBe(401);
  expect(await me(second.body.access_token)).toBe(401);
});

test.each([
  ['no cookie', () => ({}), 'Not authenticated'],
  ['an empty cookie', () => ({ cookie: 'agentforge_session=' }), 'Not authenticated'],
  ['no token', () => ({ cookie: 'agentforge_session=a.b.c' }), 'Invalid token'],
  [
    'an access token',
    () => ({ cookie: `agentforge_session=${person.token}` }),
    'Invalid token type',
  ],
])('%s refreshes nothing', async (_what, browser, detail) => {
  const { status, body } = await refresh(browser());
  expect([status, body]).toEqual([401, { detail }]);
});

describe('a page of another origin, or a request that names none,', () => {
  test.each([
    ['https://evil.example'],
    ['http://localhost:3000'], // CORS allows it, and browsers send the cookie to all ports of a host
    ['http://127.0.0.1:1'],
    ['null'],
    [''],
  ])('%s begins, refreshes and ends no session', async (origin) => {
    const cookie = cookieOf(await signIn());
    const foreign = { cookie, headers: { Origin: origin } };
    for (const attempt of [signIn, refresh, signOut]) {
      const answer = await attempt(foreign);
      expect([answer.status, setCookieOf(answer)]).toEqual([403, '']);
    }
    expect((await refresh({ cookie })).status).toBe(200);
  });
});

test('a sign-out ends the session of this browser and no other', async () => {
  const [here, there] = [await signIn(), await signIn()];
  const answer = await signOut({ cookie: cookieOf(here) });
  expect([answer.status, answer.body]).toEqual([204, null]);
  expect(setCookieOf(answer)).toMatch(REMOVED);
  expect(await me(here.body.access_token)).toBe(401);
  expect((await refresh({ cookie: cookieOf(here) })).status).toBe(401);
  expect(await me(there.body.access_token)).toBe(200);
  expect((await refresh({ cookie: cookieOf(there) })).status).toBe(200);
});

test('a sign-out with a cookie that was used already ends the session all the more', async () => {
  const first = await signIn();
  const second = await refresh({ cookie: cookieOf(first) });
  expect((await signOut({ cookie: cookieOf(first) })).status).toBe(204);
  expect(await me(second.body.access_token)).toBe(401);
});

test('a sign-out without a session is one', async () => {
  for (const browser of [{}, { cookie: 'agentforge_session=a.b.c' }]) {
    expect((await signOut(browser)).status).toBe(204);
  }
});

test('refreshes of one user are limited, and sign-ins are not used up by them', async () => {
  const limited = await startApiServer({ config: { authRateLimit: 1 } });
  try {
    const userId = randomUUID();
    const token = await limited.tokens.issueRefresh({
      ...{ id: randomUUID(), userId },
      expiresAt: new Date(Date.now() + 60_000),
    });
    const headers = { Origin: limited.url, Cookie: `agentforge_session=${token}` };
    const statuses: number[] = [];
    for (let at = 0; at < 121; at += 1) {
      statuses.push((await limited.send('POST', '/auth/session/refresh', { headers })).status);
    }
    expect(new Set(statuses.slice(0, 120))).toEqual(new Set([401]));
    expect(statuses.at(-1)).toBe(429);
    const body = { email: 'nowhere@example.com', password: 'Wrong0000' };
    const signedIn = await limited.send('POST', '/auth/session', { headers, body });
    expect(signedIn.status).toBe(401);
  } finally {
    await limited.close();
  }
});

describe('signing out everywhere', () => {
  test('ends every session and every token of the user, and of no other', async () => {
    const other = await api.register();
    const browser = await signIn();
    const bare = await api.tokens.issueAccess({ ...person, role: 'free', displayName: 'x' });
    const answer = await api.send('DELETE', '/auth/sessions', { token: person.token });
    expect([answer.status, answer.body]).toEqual([204, null]);
    for (const token of [person.token, browser.body.access_token, bare]) {
      expect(await me(token)).toBe(401);
    }
    expect((await refresh({ cookie: cookieOf(browser) })).status).toBe(401);
    const { status } = await api.send('POST', '/auth/refresh', {
      body: { refresh_token: person.refreshToken },
    });
    expect(status).toBe(401);
    expect(await me(other.token)).toBe(200);
    expect((await signIn()).status).toBe(200);
  });

  test('leaves the API keys', async () => {
    const { body } = await api.send('POST', '/api-keys', {
      token: person.token,
      body: { name: 'script' },
    });
    const headers = { 'X-API-Key': body.key as string };
    expect((await api.send('DELETE', '/auth/sessions', { headers })).status).toBe(204);
    expect((await api.send('GET', '/auth/me', { headers })).status).toBe(200);
  });
});
