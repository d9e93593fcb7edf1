/** One request per domain and interval, however many collectors there are. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { createPacing, DomainBusy } from '../../collector/pacing.js';
import { newHost, startCollectorService } from '../support/collector-service.js';
import { startPages, type Page } from '../support/pages.js';
import { testServers } from '../support/servers.js';

let redis: Redis;
let other: Redis;

beforeAll(() => {
  redis = new Redis(testServers().collectorRedisUrl);
  other = new Redis(testServers().collectorRedisUrl);
});
afterAll(() => {
  redis.disconnect();
  other.disconnect();
});

const never = new AbortController().signal;

test('turns of all collectors at one domain keep their distance', async () => {
  const domain = randomUUID();
  const replicas = [createPacing({ redis }), createPacing({ redis: other })];
  const moments: number[] = [];
  await Promise.all(
    Array.from({ length: 6 }, async (_, at) => {
      await replicas[at % 2]?.takeTurn({ domain, intervalMs: 60 }, never);
      moments.push(performance.now());
    }),
  );
  const gaps = moments.slice(1).map((moment, at) => moment - (moments[at] ?? 0));
  expect((moments.at(-1) ?? 0) - (moments[0] ?? 0)).toBeGreaterThanOrEqual(5 * 60 - 20);
  expect(gaps).toHaveLength(5);
});

test('domains do not wait for each other, nor after the interval', async () => {
  const pacing = createPacing({ redis });
  const turn = (domain: string, intervalMs: number) =>
    pacing.takeTurn({ domain, intervalMs }, never);
  const startedAt = performance.now();
  await Promise.all([turn(randomUUID(), 60_000), turn(randomUUID(), 60_000)]);
  expect(performance.now() - startedAt).toBeLessThan(60_000);
});

test('where the wait is too long, nothing is reserved, and the error says how long it is', async () => {
  const domain = randomUUID();
  const pacing = createPacing({ redis, maxWaitMs: 100 });
  await pacing.takeTurn({ domain, intervalMs: 5_000 }, never);
  const refused = pacing.takeTurn({ domain, intervalMs: 5_000 }, never);
  await expect(refused).rejects.toBeInstanceOf(DomainBusy);
  await expect(refused).rejects.toMatchObject({ retryAfterSeconds: 5 });
  expect(await redis.pttl(`collector:turn:${domain}`)).toBeLessThanOrEqual(5_000);
});

test('a caller that stops waiting is released', async () => {
  const domain = randomUUID();
  const pacing = createPacing({ redis });
  await pacing.takeTurn({ domain, intervalMs: 10_000 }, never);
  const leaving = new AbortController();
  const waiting = pacing.takeTurn({ domain, intervalMs: 10_000 }, leaving.signal);
  leaving.abort();
  await expect(waiting).rejects.toThrow();
});

test('a domain that too many wait for is a 503 with the time to wait, and can be tried again', async () => {
  const [pages, service] = await Promise.all([
    startPages(),
    startCollectorService({ env: { COLLECTOR_DELAY_SECONDS: '10' } }),
  ]);
  const host = newHost();
  const { id } = (
    await service.ask('POST', '/api/v1/collections', { url: `http://${host}:${pages.port}/page` })
  ).body;
  const path = `/api/v1/collections/${id}`;
  expect((await service.ask('GET', `${path}/compliance`)).body.rate_limit_seconds).toBe(10);
  await redis.set(`collector:turn:${host}`, Date.now() + 60_000, 'PX', 60_000);
  const busy = await service.ask('POST', `${path}/collect`);
  expect(busy).toMatchObject({ status: 503, body: { detail: expect.stringContaining(host) } });
  expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(50);
  expect((await service.ask('GET', `${path}/status`)).body).toMatchObject({
    status: 'pending',
    error: null,
  });
  await redis.del(`collector:turn:${host}`);
  pages.set('/page', { body: 'text' });
  expect((await service.ask('POST', `${path}/collect`)).body.status).toBe('completed');
  await Promise.all([pages.close(), service.close()]);
});

test('robots.txt, page and redirects are requests, and keep the distance each', async () => {
  const [pages, service] = await Promise.all([
    startPages(),
    startCollectorService({ env: { COLLECTOR_DELAY_SECONDS: '0.2' } }),
  ]);
  const moments: number[] = [];
  const noted =
    (status: number, headers: Record<string, string>): Page =>
    (_, response) => {
      moments.push(performance.now());
      response.writeHead(status, headers).end('text');
    };
  pages.set('/robots.txt', noted(404, {}));
  pages.set('/from', noted(302, { location: '/to' }));
  pages.set('/to', noted(200, { 'content-type': 'text/plain' }));
  const { body } = await service.collect(`http://${newHost()}:${pages.port}/from`);
  await Promise.all([pages.close(), service.close()]);
  expect(body.status).toBe('completed');
  expect(moments).toHaveLength(3);
  const gaps = moments.slice(1).map((moment, at) => moment - (moments[at] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(100);
});
