import { randomUUID } from 'node:crypto';
import { loadConfig } from '../../config/config.js';
import type { ApiConfig } from '../../api/deps.js';
import { createRateLimiter } from '../../api/http/rate-limiter.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import {
  serversByConfig,
  startApiServer,
  type ApiServer,
  type Person,
} from '../support/api-server.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';
import { startRedisProxy } from '../support/redis.js';

const start = serversByConfig();
const servers: ApiServer[] = [];
async function startThrough(redisUrl: string, config: Partial<ApiConfig> = {}): Promise<ApiServer> {
  const api = await startApiServer({ redisUrl, config });
  servers.push(api);
  await until('Redis', () => api.redis.status === 'ready');
  return api;
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((api) => api.close()));
});

/** Each test is its own client: behind one trusted proxy, at an address of its own. */
const address = () => `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}::1`;
const from = (ip: string) => ({ 'X-Forwarded-For': `${ip}, 10.0.0.1` });
const logIn = (
  api: ApiServer,
  headers: Record<string, string>,
  email = `${randomUUID()}@example.com`,
) => api.send('POST', '/auth/login', { body: { email, password: 'Wrong0000' }, headers });

describe('attempts to authenticate', () => {
  test('share one bucket per address over the three routes, successes included', async () => {
    const api = await start({ authRateLimit: 3, trustedProxyCount: 1 });
    const headers = from(address());
    const account = { email: `${randomUUID()}@example.com`, password: 'Passw0rd' };
    const body = { ...account, display_name: 'Somebody' };
    const registered = await api.send('POST', '/auth/register', { body, headers });
    expect(registered.status).toBe(201);
    expect((await api.send('POST', '/auth/login', { body: account, headers })).status).toBe(200);
    const refreshToken = { refresh_token: registered.body.refresh_token };
    const refresh = () => api.send('POST', '/auth/refresh', { body: refreshToken, headers });
    expect((await refresh()).status).toBe(200);

    const refused = await refresh();
    expect(refused.status).toBe(429);
    expect(refused.body.detail).toMatch(/too many authentication attempts/i);
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(295); // 900 s / 3
    expect(wait).toBeLessThanOrEqual(300);
    expect((await logIn(api, from(address()))).status).toBe(401); // another address
  });

  test('counted in parallel, exactly the limit is allowed', async () => {
    const api = await start({ authRateLimit: 5, trustedProxyCount: 1 });
    const headers = from(address());
    const answers = await Promise.all(Array.from({ length: 20 }, () => logIn(api, headers)));
    expect(answers.filter((answer) => answer.status === 401)).toHaveLength(5);
    expect(answers.filter((answer) => answer.status === 429)).toHaveLength(15);
  });

  test('come back evenly, not all at the end of the window', async () => {
    const api = await start({ authRateLimit: 2, authRateWindowSeconds: 8, trustedProxyCount: 1 });
    const headers = from(address());
    await logIn(api, headers);
    await logIn(api, headers);
    expect((await logIn(api, headers)).status).toBe(429);
    const startedAt = Date.now();
    await until('the next attempt', async () => (await logIn(api, headers)).status === 401);
    expect(Date.now() - startedAt).toBeLessThan(7_500);
  });

  test('at one account are limited from wherever they come', async () => {
    const api = await start({ authRateLimit: 1, trustedProxyCount: 1 });
    const email = `${randomUUID()}@example.com`;
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      statuses.push((await logIn(api, from(address()), email)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 429]);
  });

  test('that succeed do not use up the account', async () => {
    const api = await start({ authRateLimit: 1, trustedProxyCount: 1 });
    const account = { email: `${randomUUID()}@example.com`, password: 'Passw0rd' };
    const body = { ...account, display_name: 'Somebody' };
    await api.send('POST', '/auth/register', { body, headers: from(address()) });
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const headers = from(address());
      expect((await api.send('POST', '/auth/login', { body: account, headers })).status).toBe(200);
    }
  });
});

describe('a bucket', () => {
  test('that holds nothing refuses everything', async () => {
    const api = await start({ authRateLimit: 0, trustedProxyCount: 1 });
    const refused = await logIn(api, from(address()));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '900']);
  });

  test('without Redis is forgotten when ten thousand others were used since', async () => {
    const redis = connectRedis({ url: testServers().redisUrl, name: 'test', logger: silentLogger });
    redis.disconnect();
    const limiter = createRateLimiter({ redis, logger: silentLogger });
    const take = async (key: string) =>
      (await limiter.take({ key, capacity: 1, windowSeconds: 3_600 }, 1)).kind;
    expect([await take('first'), await take('second')]).toEqual(['allowed', 'allowed']);
    for (let other = 0; other < 9_998; other += 1) {
      await take(`other ${other}`);
    }
    expect([await take('first'), await take('second')]).toEqual(['refused', 'refused']);
    await take('one more');
    expect([await take('second'), await take('first')]).toEqual(['refused', 'allowed']);
  });
});

describe('the client’s address', () => {
  test('is the socket’s where no proxy is trusted', async () => {
    const api = await start({ authRateLimit: 1 });
    await api.redis.del('rate:auth:127.0.0.1');
    expect((await logIn(api, from(address()))).status).toBe(401);
    expect((await logIn(api, from(address()))).status).toBe(429);
    await api.redis.del('rate:auth:127.0.0.1');
  });

  test.each([
    [1, '203.0.113.50, 10.0.0.1', '203.0.113.50'],
    [1, 'spoofed, 203.0.113.51, 10.0.0.1', '203.0.113.51'],
    [2, '203.0.113.52, 10.0.0.1, 10.0.0.2', '203.0.113.52'],
    [3, '203.0.113.53, 10.0.0.1', '203.0.113.53'],
    [1, 'spoofed, 203.0.113.54', '203.0.113.54'],
    [2, 'spoofed, 203.0.113.55, fd00::1', '203.0.113.55'],
    [1, '203.0.113.56, ::1', '203.0.113.56'],
    [2, '10.0.0.9, 10.0.0.1', '10.0.0.9'],
    [1, ' , ,', '127.0.0.1'],
  ])('behind %i proxies in %j is %s', async (trustedProxyCount, forwarded, ip) => {
    const api = await start({ trustedProxyCount });
    await api.redis.del(`rate:auth:${ip}`);
    await logIn(api, { 'X-Forwarded-For': forwarded });
    expect(await api.redis.exists(`rate:auth:${ip}`)).toBe(1);
  });
});

test('without the header the client’s address is the socket’s, also behind proxies', async () => {
  const api = await start({ trustedProxyCount: 2 });
  await api.redis.del('rate:auth:127.0.0.1');
  await logIn(api, {});
  expect(await api.redis.exists('rate:auth:127.0.0.1')).toBe(1);
});

describe('a role’s requests per minute', () => {
  const read = (api: ApiServer, person: Person) =>
    api.send('GET', '/auth/me', { token: person.token });
  const write = (api: ApiServer, person: Person) =>
    api.send('POST', '/conversations', { token: person.token, body: { title: 'x' } });

  test('weigh 1 for a write and 0.1 for a read', async () => {
    const api = await start({ rateLimits: { free: 2, pro: 60, admin: -1 } });
    const person = await api.register();
    expect((await write(api, person)).status).toBe(201);
    for (let count = 0; count < 10; count += 1) {
      expect((await read(api, person)).status).toBe(200);
    }
    const refused = await write(api, person);
    expect([refused.status, refused.body]).toEqual([429, { detail: 'Rate limit exceeded' }]);
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBeGreaterThanOrEqual(25);
    expect(wait).toBeLessThanOrEqual(30);
  });

  /** What is set where nothing is set. */
  const { rateLimits } = loadConfig({
    DATABASE_URL: 'postgresql://db/agentforge',
    REDIS_URL: 'redis://redis',
    TEMPORAL_ADDRESS: 'temporal:7233',
    DEBUG: 'true',
  });

  test.each([
    ['free', 10],
    ['pro', 60],
    ['admin', 100],
  ] as const)('of 100 at once let a %s user’s first %i through', async (role, passed) => {
    const api = await start({ rateLimits });
    const person = await api.register();
    await api.db.updateTable('users').set({ role }).where('id', '=', person.id).execute();
    const startedAt = Date.now();
    const answers = await Promise.all(Array.from({ length: 100 }, () => write(api, person)));
    const refilled = Math.ceil(((Date.now() - startedAt) / 60_000) * passed);
    const count = answers.filter(({ status }) => status === 201).length;
    expect(count).toBeGreaterThanOrEqual(passed);
    expect(count).toBeLessThanOrEqual(passed + refilled);
  });

  test('let a free user go through all screens of the front end in one minute', async () => {
    const api = await start({ rateLimits });
    const person = await api.register();
    const ask = async (method: string, path: string, body?: unknown) => {
      const answer = await api.send(method, path, {
        token: person.token,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBeLessThan(300);
      return answer.body;
    };
    const dashboard = ['summary', 'usage-history?days=30', 'pipeline-history?limit=20'];
    const openDashboard = () => Promise.all(dashboard.map((path) => ask('GET', `/stats/${path}`)));
    await openDashboard();
    const { id } = await ask('POST', '/conversations', { title: '새 대화' });
    await ask('GET', '/conversations');
    await ask('GET', `/conversations/${id}`);
    await ask('GET', '/templates');
    await ask('GET', '/templates/shared');
    const draft = { name: 'T', description: '', graph_data: {}, design_data: {} };
    const template = await ask('POST', '/templates', draft);
    await ask('GET', '/templates');
    await ask('PUT', `/templates/${template.id}`, { is_public: true });
    await ask('GET', '/templates');
    await ask('POST', `/templates/${template.id}/fork`);
    await ask('GET', '/templates');
    await ask('GET', `/templates/${template.id}`);
    await ask('DELETE', `/templates/${template.id}`);
    await ask('GET', '/llm-keys');
    await ask('POST', '/llm-keys', { provider: 'openai', api_key: 'sk-test-0123456789' });
    await openDashboard();
  });

  test('have no limit where it is -1', async () => {
    const api = await start({ rateLimits: { free: -1, pro: 0, admin: -1 } });
    const person = await api.register();
    const answers = await Promise.all(Array.from({ length: 30 }, () => write(api, person)));
    expect(answers.every((answer) => answer.status === 201)).toBe(true);
  });

  test('of one user are no other’s', async () => {
    const api = await start({ rateLimits: { free: 1, pro: 60, admin: -1 } });
    const [one, other] = [await api.register(), await api.register()];
    expect((await write(api, one)).status).toBe(201);
    expect((await write(api, one)).status).toBe(429);
    expect((await write(api, other)).status).toBe(201);
  });
});

describe('while Redis is away', () => {
  test('requests work, and each process counts on its own', async () => {
    const { proxy, url: redisUrl } = await startRedisProxy();
    const api = await startThrough(redisUrl, {
      authRateLimit: 2,
      trustedProxyCount: 1,
      rateLimits: { free: 1, pro: 1, admin: -1 },
    });
    const person = await api.register();
    await proxy.cut();

    const headers = from(address());
    expect((await logIn(api, headers)).status).toBe(401);
    expect((await logIn(api, headers)).status).toBe(401);
    const refused = await logIn(api, headers);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const write = () =>
      api.send('POST', '/conversations', { token: person.token, body: { title: 'x' } });
    expect((await write()).status).toBe(201);
    expect((await write()).status).toBe(429);
  });

  test('a Redis that answers no commands only delays a request', async () => {
    const { proxy, url: redisUrl } = await startRedisProxy();
    const api = await startThrough(redisUrl);
    const person = await api.register();
    proxy.freeze();
    expect((await api.send('GET', '/auth/me', { token: person.token })).status).toBe(200);
    await proxy.close();
  });
});
