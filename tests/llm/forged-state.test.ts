/** An attacker writes where leases, buckets, circuits and permits are counted: no caller is kept out for good. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createRateLimiter } from '../../api/http/rate-limiter.js';
import { createLeases } from '../../api/socket/leases.js';
import { createGuard } from '../../llm/routing/guard.js';
import { nameRateLimitKey, toRateLimitKey } from '../../llm/routing/rate-limit-key.js';
import { silentLogger } from '../../telemetry/logger.js';
import { openRedis } from '../support/redis.js';

let redis: Redis;
beforeAll(async () => {
  redis = await openRedis();
});
afterAll(() => {
  redis.disconnect();
});

const YEAR_MS = 31_536_000_000;
const farAway = () => Date.now() + YEAR_MS;
const NO_NUMBERS = ['nan', 'inf', '-inf', 'text', '1e308', '-1e308', ''];

test.each([
  ['places of leases that last a year', () => [farAway(), `gateway life ${randomUUID()}`] as const],
  ['members that are no leases', () => [Date.now() + 5_000, randomUUID()] as const],
  ['leases that never end', () => ['+inf', `gateway life ${randomUUID()}`] as const],
])('a user with %s can connect', async (_what, forge) => {
  const userId = randomUUID();
  const leases = createLeases({
    ...{ redis, leaseSeconds: 30, gateway: randomUUID() },
    logger: silentLogger,
  });
  const key = `agentforge:sockets:${userId}`;
  for (let count = 0; count < 20; count += 1) {
    const [score, member] = forge();
    await redis.zadd(key, score, member);
  }
  expect(await leases.acquire(userId, 2)).not.toBeNull();
  expect(await redis.zcard(key)).toBe(1);
  await leases.close();
});

test('a set of more leases than any user has is deleted, not walked through', async () => {
  const userId = randomUUID();
  const leases = createLeases({
    ...{ redis, leaseSeconds: 30, gateway: randomUUID() },
    logger: silentLogger,
  });
  const members = Array.from({ length: 2_000 }, (_, at) => [
    Date.now() + 5_000,
    `gateway life ${at}`,
  ]);
  await redis.zadd(`agentforge:sockets:${userId}`, ...members.flat());
  expect(await leases.acquire(userId, 2)).not.toBeNull();
  await leases.close();
});

test.each(NO_NUMBERS.flatMap((tokens) => NO_NUMBERS.map((at) => [tokens, at] as const)))(
  'a bucket that holds %p tokens at %p keeps no caller out for longer than its window',
  async (tokens, at) => {
    const limiter = createRateLimiter({ redis, logger: silentLogger });
    const bucket = { key: randomUUID(), capacity: 3, windowSeconds: 60 };
    await redis.hset(`rate:${bucket.key}`, { tokens, at });
    const taken = await limiter.take(bucket, 1);
    expect(taken.kind === 'allowed' ? 0 : taken.retryAfterSeconds).toBeLessThanOrEqual(20);
    const all = await Promise.all(Array.from({ length: 10 }, () => limiter.take(bucket, 1)));
    expect(all.filter(({ kind }) => kind === 'allowed').length).toBeLessThanOrEqual(3);
  },
);

test('a bucket filled at a time to come is still filled over time', async () => {
  const limiter = createRateLimiter({ redis, logger: silentLogger });
  const bucket = { key: randomUUID(), capacity: 1_000, windowSeconds: 1 };
  await redis.hset(`rate:${bucket.key}`, { tokens: 0, at: farAway() });
  const refused = await limiter.take(bucket, 1);
  expect(refused.kind).toBe('refused');
  await redis.hset(`rate:${bucket.key}`, { tokens: 0, at: Date.now() - 500 });
  expect((await limiter.take(bucket, 1)).kind).toBe('allowed');
});

function newKey() {
  const key = { provider: 'openai', apiKey: 'sk-key', keyId: randomUUID() } as const;
  return { key, name: nameRateLimitKey(toRateLimitKey(key)) };
}

const never = new AbortController().signal;
const guardWith = (limits: { readonly permitTimeoutMs?: number } = {}) =>
  createGuard({ redis, logger: silentLogger, callsPerKey: 2, limits });

test.each([String(farAway()), 'inf', 'nan', '1e300'])(
  'a circuit that would be open until %s is closed',
  async (openUntil) => {
    const { key, name } = newKey();
    await redis.hset(`agentforge:circuit:${name}`, { openUntil });
    expect((await guardWith().acquire(key, never)).kind).toBe('permit');
  },
);

test.each([String(farAway()), 'inf', 'nan', 'text'])(
  'a trial that would last until %s keeps no worker from its own',
  async (probeUntil) => {
    const { key, name } = newKey();
    const cooled = { openUntil: Date.now() - 1, probe: 'stranger', probeUntil };
    await redis.hset(`agentforge:circuit:${name}`, cooled);
    expect((await guardWith().acquire(key, never)).kind).toBe('permit');
  },
);

test.each([
  ['leases that last a year', true],
  ['no leases', false],
])('a queue full of unknown entries with %s is free for a call', async (_what, hasLeases) => {
  const { key, name } = newKey();
  for (let at = 0; at < 20; at += 1) {
    await redis.zadd(`agentforge:calls:${name}`, -at, `stranger ${at}`);
    if (hasLeases) {
      await redis.zadd(`agentforge:calls-leases:${name}`, farAway(), `stranger ${at}`);
    }
  }
  expect((await guardWith({ permitTimeoutMs: 1 }).acquire(key, never)).kind).toBe('permit');
});
