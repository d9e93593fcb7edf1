import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { connectRedis } from '../../events/redis.js';
import {
  raiseSessionSeq,
  readSessionView,
  writeSessionView,
  type SessionStore,
} from '../../events/session-view.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from '../support/servers.js';
import { TEST_MACS } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: Redis;
let store: SessionStore;
beforeAll(async () => {
  redis = connectRedis({ url: testServers().redisUrl, name: 'test', logger: silentLogger });
  store = { redis, macs: TEST_MACS };
  await until('redis is there', () => redis.status === 'ready');
});
afterAll(() => {
  redis.disconnect();
});

const view = (lastSeq: number) => ({
  userId: randomUUID(),
  state: 'debate',
  round: 1,
  version: 2,
  designs: [],
  lastSeq,
});

test('a view is read back as written and lives for an hour', async () => {
  const id = randomUUID();
  const written = view(3);
  expect(await writeSessionView(store, id, written)).toBe(true);
  expect(await readSessionView(store, id)).toEqual(written);
  const ttl = await redis.ttl(`agentforge:session:${id}`);
  expect(ttl).toBeGreaterThan(3_590);
  expect(ttl).toBeLessThanOrEqual(3_600);
});

test('an older view never overwrites a newer one', async () => {
  const id = randomUUID();
  const newer = view(10);
  await writeSessionView(store, id, newer);
  expect(await writeSessionView(store, id, view(9))).toBe(false);
  expect(await readSessionView(store, id)).toEqual(newer);
});

test('a run’s events raise the last seq of a view, and never lower it', async () => {
  const id = randomUUID();
  const written = view(3);
  await writeSessionView(store, id, written);
  expect(await raiseSessionSeq(redis, id, 7)).toBe(true);
  expect(await raiseSessionSeq(redis, id, 6)).toBe(false);
  expect(await readSessionView(store, id)).toEqual({ ...written, lastSeq: 7 });
});

test('an event that is published before its turn’s state does not keep the state out', async () => {
  const id = randomUUID();
  await writeSessionView(store, id, view(3));
  await raiseSessionSeq(redis, id, 8);
  const answered = { ...view(5), state: 'plan' };
  expect(await writeSessionView(store, id, answered)).toBe(true);
  expect(await readSessionView(store, id)).toEqual({ ...answered, lastSeq: 8 });
});

test('an event makes no view where there is none, and keeps one for another hour', async () => {
  const id = randomUUID();
  expect(await raiseSessionSeq(redis, id, 1)).toBe(false);
  expect(await redis.exists(`agentforge:session:${id}`)).toBe(0);
  await writeSessionView(store, id, view(1));
  await redis.expire(`agentforge:session:${id}`, 60);
  await raiseSessionSeq(redis, id, 2);
  expect(await redis.ttl(`agentforge:session:${id}`)).toBeGreaterThan(3_590);
});

test('a missing or damaged view reads as none', async () => {
  const id = randomUUID();
  expect(await readSessionView(store, id)).toBeNull();
  await redis.hset(`agentforge:session:${id}`, 'view', '{"state":1}');
  expect(await readSessionView(store, id)).toBeNull();
});

test('while redis is away views are neither written nor read, and no caller fails', async () => {
  const away = connectRedis({ url: 'redis://127.0.0.1:1', name: 'test', logger: silentLogger });
  expect(await writeSessionView({ redis: away, macs: TEST_MACS }, randomUUID(), view(1))).toBe(
    false,
  );
  expect(await raiseSessionSeq(away, randomUUID(), 1)).toBe(false);
  expect(await readSessionView({ redis: away, macs: TEST_MACS }, randomUUID())).toBeNull();
  away.disconnect();
});
