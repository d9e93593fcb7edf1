/** Attempts to bypass the limits of signing in, and to lock others out with them. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { networkOf, plainAddress } from '../../../api/http/middleware/client-ip.js';
import type { ApiConfig } from '../../../api/deps.js';
import { serversByConfig, type ApiServer, type Person } from '../../support/api-server.js';
import { connectChat, opened } from '../../support/chat-client.js';
import { createConversationWithToken, gatewaysOfTests } from '../../support/chat-server.js';

const start = serversByConfig();
const startGatewayOfTest = gatewaysOfTests();

const PASSWORD = 'Passw0rd';
const WRONG = 'Wrong0000';
const anyIp = () =>
  `198.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`;
const from = (ip: string) => ({ 'X-Forwarded-For': ip });
const anyNetwork = () =>
  `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}`.replaceAll(/:0+(?=\w)/g, ':');

async function logIn(api: ApiServer, by: { email?: string; password?: string; ip?: string } = {}) {
  const { email = `${randomUUID()}@example.com`, password = WRONG, ip = anyIp() } = by;
  return api.send('POST', '/auth/login', { body: { email, password }, headers: from(ip) });
}
const statusesOf = async (count: number, attempt: (at: number) => Promise<{ status: number }>) => {
  const statuses: number[] = [];
  for (let at = 0; at < count; at += 1) {
    statuses.push((await attempt(at)).status);
  }
  return statuses;
};
async function registerFrom(api: ApiServer, ip: string, email = `${randomUUID()}@example.com`) {
  const body = { email, password: PASSWORD, display_name: 'Somebody' };
  await api.send('POST', '/auth/register', { body, headers: from(ip) });
  return email;
}

describe('an address', () => {
  test.each([
    ['203.0.113.77:4100', '203.0.113.77'],
    ['[2001:DB8::1]:443', '2001:db8::1'],
    ['[2001:db8:0:0::1]', '2001:db8::1'],
    ['::ffff:203.0.113.77', '203.0.113.77'],
    ['::FFFF:cb00:714d', '203.0.113.77'],
    ['[::ffff:203.0.113.77]:80', '203.0.113.77'],
    ['0:0:0:0:0:ffff:203.0.113.77', '203.0.113.77'],
    ['fe80::1%eth0', 'fe80::1'],
    ['spoofed', null],
    ['203.0.113.77:', null],
    ['"203.0.113.77:4100"', '203.0.113.77'],
    ['"[2001:db8::1]:4711"', '2001:db8::1'],
    ['"[2001:db8::1]"', '2001:db8::1'],
    ['""', null],
    ['', null],
    [`${'1'.repeat(10_000)}.1.1.1`, null],
  ])('%j is %j', (text, plain) => {
    expect(plainAddress(text)).toBe(plain);
  });

  test.each([
    ['203.0.113.77', '203.0.113.77'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['64:ff9b::203.0.113.77', '203.0.113.77'],
    ['2002:cb00:714d:1::1', '203.0.113.77'],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('attempts of one client', () => {
  test.each([
    ['with ports of its own', (at: number) => `203.0.113.77:${4_100 + at}`, 'auth:203.0.113.77'],
    [
      'as IPv4 and as IPv6',
      (at: number) => (at % 2 === 0 ? '203.0.113.78' : '::ffff:203.0.113.78'),
      'auth:203.0.113.78',
    ],
  ])('are counted together %s', async (_what, ip, key) => {
    const api = await start({ authRateLimit: 2, trustedProxyCount: 1 });
    await api.redis.del(`rate:${key}`);
    const statuses = await statusesOf(4, (at) => logIn(api, { ip: ip(at) }));
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  test('are counted together over its IPv6 network, and apart from the next one', async () => {
    const api = await start({ authRateLimit: 2, trustedProxyCount: 1 });
    const network = anyNetwork();
    const statuses = await statusesOf(4, (at) => logIn(api, { ip: `${network}::${at + 1}:9` }));
    expect(statuses).toEqual([401, 401, 429, 429]);
    expect((await logIn(api, { ip: `${anyNetwork()}::1` })).status).toBe(401);
  });

  test('are counted where it writes no address before private proxies', async () => {
    const api = await start({ authRateLimit: 2, trustedProxyCount: 1 });
    const proxy = `10.9.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`;
    const statuses = await statusesOf(4, (at) => logIn(api, { ip: `me-${at}, ${proxy}` }));
    expect(statuses).toEqual([401, 401, 429, 429]);
  });
});

describe('an address whose domain is not in ASCII', () => {
  const domain = () => `한국-${randomUUID().slice(0, 8)}.kr`;
  const inAscii = (email: string) => new URL(`http://${email}`).host;

  test('is one account in both spellings, shown as it was typed', async () => {
    const api = await start({ trustedProxyCount: 1 });
    const typed = `u@${domain()}`;
    const ascii = `u@${inAscii(typed)}`;
    await registerFrom(api, anyIp(), typed);
    const statuses = [typed, ascii, ascii.toUpperCase()].map((email) =>
      logIn(api, { email, password: PASSWORD }),
    );
    expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('is one account with some labels in ASCII and some not', async () => {
    const api = await start({ trustedProxyCount: 1 });
    const [own, other] = [`한국-${randomUUID().slice(0, 8)}`, '서울'];
    const [ownAscii, otherAscii] = [own, other].map((label) => inAscii(`u@${label}`));
    const spellings = [
      ...[`u@${ownAscii}.${other}.kr`, `u@${own}.${otherAscii}.kr`],
      ...[`u@${own}.${other}.kr`, `u@${ownAscii}.${otherAscii}.kr`],
    ];
    await registerFrom(api, anyIp(), spellings[0] ?? '');
    const statuses = spellings.map((email) => logIn(api, { email, password: PASSWORD }));
    expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const body = { email: spellings[1], password: PASSWORD, display_name: 'Another' };
    const again = await api.send('POST', '/auth/register', { body, headers: from(anyIp()) });
    expect(again.status).toBe(409);
  });

  test.each([0, 1])(
    'cannot be registered in the other spelling, in either order',
    async (first) => {
      const api = await start({ trustedProxyCount: 1 });
      const typed = `u@${domain()}`;
      const spellings = [typed, `u@${inAscii(typed)}`];
      await registerFrom(api, anyIp(), spellings[first] ?? '');
      const body = { email: spellings[1 - first], password: PASSWORD, display_name: 'Another' };
      const again = await api.send('POST', '/auth/register', { body, headers: from(anyIp()) });
      expect(again.status).toBe(409);
    },
  );
});

describe('guesses at one account', () => {
  test.each([
    ['letter case', (email: string, at: number) => (at % 2 === 0 ? email : email.toUpperCase())],
    ['İ', (email: string, at: number) => (at % 2 === 0 ? email : email.replaceAll('i', 'İ'))],
    ['a name beside it', (email: string, at: number) => `${'x'.repeat(at)} <${email}>`],
  ])('are counted together in all spellings that find it: %s', async (_what, spell) => {
    const api = await start({ authRateLimit: 1, trustedProxyCount: 1 });
    const email = await registerFrom(api, anyIp(), `i${randomUUID()}@example.com`);
    const statuses: number[] = [];
    for (let at = 0; at < 16; at += 1) {
      const { status } = await logIn(api, { email: spell(email, at) });
      statuses.push(status);
    }
    // a spelling that finds the account finds its bucket; one that does not finds no account
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(8);
    expect((await logIn(api, { email })).status).toBe(429);
  });

  test('do not keep its owner out where the owner has signed in before', async () => {
    const api = await start({ authRateLimit: 1, trustedProxyCount: 1 });
    const home = `${anyNetwork()}::1`;
    const email = await registerFrom(api, home);
    const guesses = await statusesOf(6, () => logIn(api, { email }));
    expect(guesses).toEqual([401, 401, 401, 401, 429, 429]);
    await api.redis.del(`rate:auth:${networkOf(home)}`);
    expect((await logIn(api, { email, password: PASSWORD, ip: home })).status).toBe(200);
    expect((await logIn(api, { email, password: PASSWORD })).status).toBe(429); // from elsewhere
  });

  test('from where the owner has signed in are limited, too', async () => {
    const api = await start({ authRateLimit: 1, trustedProxyCount: 1 });
    const home = anyIp();
    const email = await registerFrom(api, home);
    const guesses = await statusesOf(5, async () => {
      await api.redis.del(`rate:auth:${home}`);
      return logIn(api, { email, ip: home });
    });
    expect(guesses).toEqual([401, 401, 401, 401, 429]);
  });

  test('of each user no more than twenty networks are known, the latest', async () => {
    const api = await start({ trustedProxyCount: 1 });
    const email = await registerFrom(api, anyIp());
    for (let at = 0; at < 25; at += 1) {
      expect((await logIn(api, { email, password: PASSWORD })).status).toBe(200);
    }
    const rows = await api.db
      .selectFrom('signInNetworks')
      .innerJoin('users', 'users.id', 'signInNetworks.userId')
      .selectAll('signInNetworks')
      .where('email', '=', email)
      .execute();
    expect(rows).toHaveLength(20);
    expect(JSON.stringify(rows)).not.toMatch(/198\.\d+\.\d+/);
  });
});

describe('guesses at the current password', () => {
  let api: ApiServer;
  let person: Person;
  beforeEach(async () => {
    api = await start({ authRateLimit: 1 });
    await api.redis.del('rate:auth:127.0.0.1');
    person = await api.register();
    await api.redis.del('rate:auth:127.0.0.1');
  });
  const guess = (headers: Record<string, string>, method = 'PUT') =>
    api.send(method, '/auth/me', {
      headers,
      body: {
        current_password: WRONG,
        ...(method === 'PUT' ? { new_password: 'N3wPassword' } : {}),
      },
    });
  const bearer = (token = person.token) => ({ Authorization: `Bearer ${token}` });

  test('are limited over both routes, and lock no user out', async () => {
    const statuses = await statusesOf(6, (at) => guess(bearer(), at % 2 === 0 ? 'PUT' : 'DELETE'));
    expect(statuses).toEqual([422, 422, 422, 422, 429, 429]);
    const { email, password } = person;
    const signedIn = await api.send('POST', '/auth/login', { body: { email, password } });
    expect(signedIn.status).toBe(200);
    const change = { current_password: password, new_password: 'N3wPassword' };
    const changed = await api.send('PUT', '/auth/me', {
      token: signedIn.body.access_token,
      body: change,
    });
    expect(changed.status).toBe(200);
  });

  test('are limited over all API keys, also new ones', async () => {
    const statuses = await statusesOf(6, async () => {
      const { body } = await api.send('POST', '/api-keys', {
        token: person.token,
        body: { name: 'another' },
      });
      return guess({ 'X-API-Key': body.key });
    });
    expect(statuses).toEqual([422, 422, 422, 422, 429, 429]);
  });

  test('and those at a sign-in keep the owner from changing nothing', async () => {
    for (let at = 0; at < 6; at += 1) {
      await api.redis.del('rate:auth:127.0.0.1');
      await api.send('POST', '/auth/login', { body: { email: person.email, password: WRONG } });
    }
    expect((await guess(bearer())).status).toBe(422);
  });
});

test('hashes that cannot be made in time are 503 with Retry-After at once, and no attempt at the account', async () => {
  const api = await start({ passwordCost: 12, authRateLimit: 3, trustedProxyCount: 1 });
  const email = `${randomUUID()}@example.com`;
  const flood = Promise.all(Array.from({ length: 60 }, () => logIn(api)));
  const mine = await Promise.all(Array.from({ length: 13 }, () => logIn(api, { email })));
  const counted = mine.filter(({ status }) => status === 401).length;
  expect(mine.filter(({ status }) => status === 503).length + counted).toBe(13);
  const refused = (await flood).filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThanOrEqual(25);
  expect(refused.length).toBeLessThan(60);
  for (const { headers, body } of refused) {
    expect(headers.get('retry-after')).toBe('3');
    expect(body.detail).toBe('Too many sign-ins at once, please try again');
  }
  expect((await logIn(api, { email })).status).toBe(401);
});

/** `fetch` sets some headers itself. */
async function post(
  api: ApiServer,
  path: string,
  headers: Record<string, string>,
  body = JSON.stringify({
    email: `${randomUUID()}@example.com`,
    password: PASSWORD,
    display_name: 'Me',
  }),
): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(`${api.url}/api/v1${path}`);
    const request = httpRequest(url, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end(body);
  });
}
const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('a page of another site', () => {
  test.each([
    ['a foreign origin', { Origin: 'https://evil.example' }],
    ['another port of this machine', { Origin: 'http://127.0.0.1:9' }],
    ['no origin to show', { Origin: 'null' }],
    ['a site that its browser calls another one', { 'Sec-Fetch-Site': 'cross-site' }],
  ])('with %s opens nothing, and uses up no attempt', async (_what, headers) => {
    const api = await start({ authRateLimit: 1 });
    await api.redis.del('rate:auth:127.0.0.1');
    for (const path of ['/auth/register', '/auth/login', '/auth/refresh']) {
      expect(await post(api, path, { ...JSON_TYPE, ...headers })).toBe(403);
    }
    expect(await post(api, '/auth/register', JSON_TYPE)).toBe(201);
  });

  test('that CORS allows, and one of our own, may register', async () => {
    const api = await start();
    const own = { Origin: api.url, 'Sec-Fetch-Site': 'same-origin' };
    const frontEnd = { Origin: 'http://localhost:3000', 'Sec-Fetch-Site': 'cross-site' };
    for (const headers of [own, frontEnd, {}]) {
      expect(await post(api, '/auth/register', { ...JSON_TYPE, ...headers })).toBe(201);
    }
    const anybody = await start({ corsOrigins: ['*'] });
    const headers = { ...JSON_TYPE, Origin: 'https://anywhere.example' };
    expect(await post(anybody, '/auth/register', headers)).toBe(201);
  });

  test.each([
    ['no type', {}],
    ['text', { 'Content-Type': 'text/plain' }],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
  ])('sends %s in vain', async (_what, headers) => {
    const api = await start({ authRateLimit: 1 });
    await api.redis.del('rate:auth:127.0.0.1');
    expect(await post(api, '/auth/register', headers)).toBe(422);
    expect(await post(api, '/auth/register', JSON_TYPE)).toBe(201);
  });
});

describe('the name of the server', () => {
  beforeAll(async () => {
    await (await start()).redis.del('rate:auth:127.0.0.1'); // another test has emptied it
  });
  const rebound = { ...JSON_TYPE, Host: 'evil.example:8000', Origin: 'http://evil.example:8000' };

  test.each([
    'localhost',
    'LOCALHOST:8000',
    '127.0.0.1',
    '127.0.0.9:1',
    '[::1]:8000',
    'api.localhost',
  ])('%s is served on loopback', async (Host) => {
    const api = await start();
    expect(await post(api, '/auth/register', { ...JSON_TYPE, Host })).toBe(201);
  });

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '192.0.2.1', 'x'])(
    '%s is not',
    async (Host) => {
      const api = await start();
      expect(await post(api, '/auth/register', { ...JSON_TYPE, Host })).toBe(421);
    },
  );

  test('is checked for every path', async () => {
    const api = await start();
    for (const path of ['/auth/login', '/conversations', '/nowhere', '/../health']) {
      expect(await post(api, path, rebound)).toBe(421);
    }
  });

  test.each<[string, Partial<ApiConfig>, number]>([
    ['behind a proxy', { trustedProxyCount: 1 }, 201],
    ['on all addresses', { host: '0.0.0.0' }, 201],
    ['where it is allowed', { allowedHosts: ['Evil.example'] }, 201],
    ['where others are allowed', { allowedHosts: ['good.example'], host: '0.0.0.0' }, 421],
    [
      'where others are allowed, behind a proxy',
      { allowedHosts: ['good.example'], trustedProxyCount: 1 },
      421,
    ],
  ])('evil.example is served or not %s', async (_where, config, status) => {
    const api = await start(config);
    expect(await post(api, '/auth/register', rebound)).toBe(status);
  });

  test('and the page’s origin are checked for sockets, too', async () => {
    const api = await start();
    const gateway = await startGatewayOfTest(api.db);
    const state = await createConversationWithToken(api.db);
    const url = gateway.url(state);
    const own = `http://127.0.0.1:${gateway.port}`;
    for (const headers of [{}, { Origin: 'http://localhost:3000' }, { Origin: own }]) {
      (await opened(connectChat(url, headers))).socket.close();
    }
    for (const [headers, status] of [
      [{ Host: 'evil.example' }, 421],
      [{ Origin: 'https://evil.example' }, 403],
    ] as const) {
      const refused = Promise.withResolvers<number | undefined>();
      connectChat(url, headers).socket.on('unexpected-response', (_request, response) => {
        refused.resolve(response.statusCode);
      });
      expect(await refused.promise).toBe(status);
    }
  });
});
