/** What is kept, for whom, how long, and what happens when a part goes away. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Collection } from '../../collector/collection.js';
import { createStore } from '../../collector/store.js';
import {
  newHost,
  startCollectorService,
  type CollectorService,
} from '../support/collector-service.js';
import { startPages, type Pages } from '../support/pages.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';
import { startRedisProxy } from '../support/redis.js';

let pages: Pages;
let redis: Redis;
const open: CollectorService[] = [];

beforeAll(async () => {
  pages = await startPages();
  pages.set('/page', { body: '<title>Title</title><p>text' });
  redis = new Redis(testServers().collectorRedisUrl);
});
afterEach(() => Promise.all(open.splice(0).map((it) => it.close())));
afterAll(async () => {
  redis.disconnect();
  await pages.close();
});

async function start(env: Record<string, string> = {}): Promise<CollectorService> {
  const service = await startCollectorService({ env });
  open.push(service);
  return service;
}

const urlOf = (path: string) => `http://${newHost()}:${pages.port}${path}`;
const at = (id: string, what: string) => `/api/v1/collections/${id}/${what}`;

async function checked(service: CollectorService, path: string): Promise<string> {
  const { id } = (await service.ask('POST', '/api/v1/collections', { url: urlOf(path) })).body;
  await service.ask('GET', at(id, 'compliance'));
  return id;
}

const isIn = (service: CollectorService, id: string, status: string) =>
  until(status, async () => (await service.ask('GET', at(id, 'status'))).body.status === status);

test('every call may reach another replica, and none is lost by a restart', async () => {
  const [one, two] = [await start(), await start()];
  const { id } = (await one.ask('POST', '/api/v1/collections', { url: urlOf('/page') })).body;
  expect((await two.ask('GET', at(id, 'compliance'))).body.status).toBe('allowed');
  expect((await one.ask('POST', at(id, 'collect'))).body.status).toBe('completed');
  await Promise.all([one.close(), two.close()]);
  const later = await start();
  expect((await later.ask('GET', at(id, 'data'))).body).toMatchObject({
    status: 'completed',
    data: [{ content: 'text', index: 0, metadata: { title: 'Title' } }],
  });
});

test('collections are kept for a day', async () => {
  const id = await checked(await start(), '/page');
  const ttl = await redis.ttl(`collector:collection:${id}`);
  expect(ttl).toBeGreaterThan(24 * 3_600 - 60);
  expect(ttl).toBeLessThanOrEqual(24 * 3_600);
});

test('beyond a number the oldest collections go', async () => {
  await redis.unlink('collector:collections');
  let time = Date.now();
  const now = () => new Date((time += 1)); // no two at one moment, or their ids would decide
  const store = createStore({ redis, now, maxCollections: 3 });
  const ids = Array.from({ length: 5 }, () => randomUUID());
  for (const id of ids) {
    await store.add(emptyCollection(id), '192.0.2.1');
  }
  const found = await Promise.all(ids.map((id) => store.find(id)));
  expect(found.map((it) => it !== null)).toEqual([false, false, true, true, true]);
  expect(await redis.zcard('collector:collections')).toBe(3);
});

test('a caller that collects without end pushes out its own collections alone', async () => {
  await redis.unlink('collector:collections');
  let time = Date.now();
  const now = () => new Date((time += 1));
  const store = createStore({ redis, now, maxCollections: 5, maxPerCaller: 3 });
  const [real, ...flood] = Array.from({ length: 20 }, () => randomUUID());
  await store.add(emptyCollection(real ?? ''), '192.0.2.1');
  for (const id of flood) {
    await store.add(emptyCollection(id), '192.0.2.2');
  }
  expect(await store.find(real ?? '')).not.toBeNull();
  expect(await redis.zcard('collector:collections')).toBe(4);
});

test('what an older release has stored is unknown, not an error', async () => {
  const service = await start();
  const id = randomUUID();
  await redis.hset(`collector:collection:${id}`, 'state', '{"id": 1}');
  await redis.expire(`collector:collection:${id}`, 60);
  expect((await service.ask('GET', at(id, 'status'))).status).toBe(404);
});

test('a collection whose collector died has failed, and can be collected again', async () => {
  const service = await start();
  const id = await checked(service, '/page');
  const key = `collector:collection:${id}`;
  const stored = JSON.parse((await redis.hget(key, 'state')) ?? '') as Collection;
  await redis.hset(key, 'state', JSON.stringify({ ...stored, status: 'collecting' }));
  expect((await service.ask('GET', at(id, 'status'))).body).toMatchObject({
    status: 'failed',
    error: 'the collector ended (interrupted)',
  });
  expect((await service.ask('POST', at(id, 'collect'))).body).toMatchObject({
    status: 'completed',
    error: null,
  });
});

test('a client that hangs up ends the crawl, and frees the collection', async () => {
  const service = await start();
  const { promise: left, resolve } = Promise.withResolvers<undefined>();
  pages.set('/held', (request) => {
    request.socket.once('close', () => {
      resolve(undefined);
    });
  });
  const id = await checked(service, '/held');
  const leaving = new AbortController();
  const asking = fetch(`${service.baseUrl}${at(id, 'collect')}`, {
    method: 'POST',
    signal: leaving.signal,
  }).catch(() => null);
  await until('the page is asked', () => pages.requests.some((it) => it.endsWith('/held')));
  leaving.abort();
  await asking;
  await left;
  await isIn(service, id, 'failed');
  const { error } = (await service.ask('GET', at(id, 'status'))).body;
  expect(error).toContain('(interrupted)');
  pages.set('/held', { body: 'text' });
  expect((await service.ask('POST', at(id, 'collect'))).body.status).toBe('completed');
});

test('a process that stops gives up what it cannot finish, and says so', async () => {
  const service = await start();
  pages.set('/forever', () => undefined);
  const id = await checked(service, '/forever');
  const collecting = service.ask('POST', at(id, 'collect'));
  await isIn(service, id, 'collecting');
  service.stop();
  expect((await collecting).body).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('(interrupted)'),
  });
});

test('a process that stops amid a compliance check tells its client to ask again', async () => {
  const [service, other] = [await start(), await start()];
  pages.set('/robots.txt', () => undefined);
  const { id } = (await service.ask('POST', '/api/v1/collections', { url: urlOf('/page') })).body;
  const checking = service.ask('GET', at(id, 'compliance'));
  await isIn(service, id, 'checking_compliance');
  service.stop();
  expect(await checking).toMatchObject({
    status: 503,
    body: { detail: 'the collector is stopping' },
  });
  pages.set('/robots.txt', { status: 404 });
  expect((await other.ask('GET', at(id, 'status'))).body.status).toBe('pending');
  expect((await other.ask('GET', at(id, 'compliance'))).body.status).toBe('allowed');
});

test('only so many crawls at once; the others are asked to come back', async () => {
  const service = await start();
  pages.set('/many', () => undefined);
  const ids: string[] = [];
  while (ids.length < 33) {
    ids.push(await checked(service, '/many')); // one by one: checks are limited, too
  }
  const calls = ids.map((id) => service.ask('POST', at(id, 'collect')));
  const refused = await Promise.race(calls);
  expect(refused).toMatchObject({ status: 503, body: { detail: 'the collector is busy' } });
  expect(refused.headers.get('retry-after')).toBe('5');
  service.stop();
  expect((await Promise.all(calls)).filter(({ status }) => status === 200)).toHaveLength(32);
});

test('while Redis is away everything is a clear 503, and goes on when it is back', async () => {
  const { proxy, url } = await startRedisProxy(testServers().collectorRedisUrl);
  const service = await start({ REDIS_URL: url });
  const id = await checked(service, '/page');
  await proxy.cut();
  const answers = await Promise.all([
    service.ask('POST', '/api/v1/collections', { url: null }),
    service.ask('GET', at(id, 'status')),
    service.ask('GET', at(id, 'compliance')),
    service.ask('POST', at(id, 'collect')),
    service.ask('GET', at(id, 'data')),
    service.ask('GET', '/readyz'),
  ]);
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.body.detail).toContain('store of collections is away');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect((await service.ask('GET', '/api/v1/health')).status).toBe(200);
  await proxy.restore();
  await until('ready again', async () => (await service.ask('GET', '/readyz')).status === 200);
  expect((await service.ask('POST', at(id, 'collect'))).body.status).toBe('completed');
  await proxy.close();
});

function emptyCollection(id: string): Collection {
  return {
    id,
    url: null,
    sourceType: 'web',
    createdAt: new Date().toISOString(),
    status: 'pending',
    compliance: null,
    error: null,
    title: null,
  };
}
