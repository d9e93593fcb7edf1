/** Circuits on a real Redis; several instances stand for several workers. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import type { PayingKey } from '../../llm/model.js';
import type { ModelMetrics } from '../../llm/metrics.js';
import {
  ANSWERED,
  UNKNOWN,
  GUARD_LIMITS,
  countCircuits,
  createGuard,
  type CallOutcome,
  type Guard,
  type GuardLimits,
  type Permit,
} from '../../llm/routing/guard.js';
import { nameRateLimitKey, toRateLimitKey } from '../../llm/routing/rate-limit-key.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createModelMetrics } from '../../telemetry/model-metrics.js';
import { openCuttableRedis, openRedis } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: Redis;
let other: Redis;
beforeAll(async () => {
  [redis, other] = await Promise.all([openRedis(), openRedis()]);
});
afterAll(() => {
  redis.disconnect();
  other.disconnect();
});

const FAILED: CallOutcome = { kind: 'failed', askedMs: 0 };

/** Cooldowns are over at once, or never, as far as a test is concerned. */
const SHORT = { firstCooldownMs: 30, longestCooldownMs: 120 };
const LONG = { firstCooldownMs: 60_000 };
const signal = new AbortController().signal;

function guardWith(
  limits: Partial<GuardLimits> = LONG,
  connection = redis,
  metrics?: ModelMetrics,
): Guard {
  return createGuard({
    redis: connection,
    callsPerKey: 100,
    logger: silentLogger,
    limits,
    ...(metrics === undefined ? {} : { metrics }),
  });
}

function newKey(provider: PayingKey['provider'] = 'openai'): PayingKey {
  return { provider, apiKey: 'sk-key', keyId: randomUUID() };
}

async function acquire(guard: Guard, key: PayingKey): Promise<Permit | null> {
  const guarded = await guard.acquire(key, signal);
  return guarded.kind === 'permit' ? guarded : null;
}

/** How long a call is refused for; 0: it gets a permit. */
async function readWaitMs(guard: Guard, key: PayingKey): Promise<number> {
  const guarded = await guard.acquire(key, signal);
  if (guarded.kind === 'refusal') {
    expect(guarded.error.code).toBe('model-on-hold');
    return (guarded.error.retryAfterSeconds ?? 0) * 1_000;
  }
  return 0;
}

async function release(permit: Permit | null, outcome: CallOutcome): Promise<void> {
  if (permit === null) {
    throw new Error('the circuit is open');
  }
  await using released = permit;
  released.outcome = outcome;
}

async function call(guard: Guard, key: PayingKey, outcome: CallOutcome): Promise<void> {
  await release(await acquire(guard, key), outcome);
}

async function fail(guard: Guard, key: PayingKey, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await call(guard, key, FAILED);
  }
}

const isOpen = async (guard: Guard, key: PayingKey) => (await readWaitMs(guard, key)) > 0;

/** The key of an open circuit whose cooldown is over, so that the next call is its trial. */
async function cooledKey(guard: Guard): Promise<PayingKey> {
  const key = newKey();
  await fail(guard, key, GUARD_LIMITS.failures);
  await until('the cooldown is over', async () => {
    const openUntil = Number(await redis.hget(hashOf(key), 'openUntil'));
    return openUntil > 0 && (await redisTime()) > openUntil;
  });
  return key;
}

/** Whole milliseconds, as the scripts count. */
async function redisTime(): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

const hashOf = (key: PayingKey) => `agentforge:circuit:${nameRateLimitKey(toRateLimitKey(key))}`;

test('five failures in a row open a circuit, for every worker, and for this key alone', async () => {
  const [one, two] = [guardWith(), guardWith(LONG, other)];
  const key = newKey();
  await fail(one, key, 4);
  expect(await isOpen(two, key)).toBe(false);
  await fail(two, key, 1);
  expect(await readWaitMs(one, key)).toBeGreaterThan(59_000);
  expect(await isOpen(two, key)).toBe(true);
  expect(await isOpen(one, { ...key, provider: 'google' })).toBe(false);
  expect(await isOpen(one, { ...key, keyId: randomUUID() })).toBe(false);
});

test('an answer between them resets the count; a failure that says nothing of the vendor does not', async () => {
  const guard = guardWith();
  const key = newKey();
  await fail(guard, key, 4);
  await call(guard, key, ANSWERED);
  await fail(guard, key, 4);
  await call(guard, key, UNKNOWN);
  expect(await isOpen(guard, key)).toBe(false);
  await fail(guard, key, 1);
  expect(await isOpen(guard, key)).toBe(true);
});

test('failures that are far apart do not add up', async () => {
  const guard = guardWith({ ...LONG, windowMs: 40 });
  const key = newKey();
  await fail(guard, key, 4);
  await until('they are forgotten', async () => (await redis.exists(hashOf(key))) === 0);
  await fail(guard, key, 4);
  expect(await isOpen(guard, key)).toBe(false);
});

test('of any number of workers exactly one makes the trial call after a cooldown', async () => {
  const key = await cooledKey(guardWith(SHORT));
  const workers = [guardWith(SHORT), guardWith(SHORT, other)];
  const waits = await Promise.all(
    Array.from({ length: 15 }, () => workers.map((guard) => readWaitMs(guard, key))).flat(),
  );
  expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(1);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1_000);
});

test('a trial that is answered closes the circuit for all', async () => {
  const [one, two] = [guardWith(SHORT), guardWith(SHORT, other)];
  const key = await cooledKey(one);
  await call(two, key, ANSWERED);
  const waits = await Promise.all([one, one, two].map((guard) => readWaitMs(guard, key)));
  expect(waits).toEqual([0, 0, 0]);
});

test('a trial that fails doubles the cooldown, up to the longest', async () => {
  const guard = guardWith(SHORT);
  const key = await cooledKey(guard);
  for (const cooldownMs of [60, 120, 120, 120]) {
    const trial = await until('it is tried', () => acquire(guard, key));
    const before = await redisTime();
    await release(trial, FAILED);
    const after = await redisTime();
    const openUntil = Number(await redis.hget(hashOf(key), 'openUntil'));
    expect(openUntil - cooldownMs).toBeGreaterThanOrEqual(before);
    expect(openUntil - cooldownMs).toBeLessThanOrEqual(after);
  }
  expect(await redis.hget(hashOf(key), 'rests')).toBe('5');
});

test('a trial that made no call leaves the circuit as it was, for the next call to try', async () => {
  const guard = guardWith(SHORT);
  const key = await cooledKey(guard);
  const trial = await acquire(guard, key);
  expect(await isOpen(guard, key)).toBe(true);
  await release(trial, UNKNOWN);
  expect(await acquire(guard, key)).not.toBeNull();
  expect(await isOpen(guard, key)).toBe(true);
});

test('the trial of a killed worker does not block the next one for long', async () => {
  const limits = { ...SHORT, leaseMs: 100 };
  const key = await cooledKey(guardWith(limits));
  const killed = await openRedis();
  expect(await acquire(guardWith(limits, killed), key)).not.toBeNull();
  killed.disconnect();
  const guard = guardWith(limits);
  expect(await isOpen(guard, key)).toBe(true);
  const trial = await until('it is free', () => acquire(guard, key));
  await release(trial, ANSWERED);
  expect(await isOpen(guard, key)).toBe(false);
});

test('a trial that takes long keeps others out, and counts in the end', async () => {
  const guard = guardWith({ ...SHORT, leaseMs: 90 });
  const key = await cooledKey(guard);
  const trial = await acquire(guard, key);
  const readEnd = async () => Number(await redis.hget(hashOf(key), 'probeUntil'));
  const first = await readEnd();
  await until('it is renewed', async () => (await readEnd()) > first + 90);
  expect(await isOpen(guard, key)).toBe(true);
  await release(trial, ANSWERED);
  expect(await redis.exists(hashOf(key))).toBe(0);
});

test('what the vendor asks for opens a circuit at once, for so long, up to a limit', async () => {
  const guard = guardWith({ longestAskedMs: 90_000 });
  const key = newKey();
  const waitMs = () => readWaitMs(guard, key);
  const late = await acquire(guard, key);
  await call(guard, key, { kind: 'failed', askedMs: 1_500.5 });
  expect(await waitMs()).toBeGreaterThan(500);
  expect(await waitMs()).toBeLessThanOrEqual(1_501);
  await release(late, { kind: 'failed', askedMs: 1_000_000 }); // in flight when it opened
  expect(await waitMs()).toBeGreaterThan(80_000);
  expect(await waitMs()).toBeLessThanOrEqual(90_000);
});

test('calls that were begun before it opened neither close an open circuit nor keep it open', async () => {
  const guard = guardWith(SHORT);
  const key = newKey();
  const [early, late] = [await acquire(guard, key), await acquire(guard, key)];
  await fail(guard, key, GUARD_LIMITS.failures);
  const openUntil = await redis.hget(hashOf(key), 'openUntil');
  await release(early, ANSWERED);
  await release(late, FAILED);
  expect(await redis.hget(hashOf(key), 'openUntil')).toBe(openUntil);
});

test('while Redis is away every circuit counts as closed', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const guard = guardWith(LONG, cuttable);
  const key = newKey();
  await fail(guard, key, GUARD_LIMITS.failures);
  expect(await isOpen(guard, key)).toBe(true);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  await fail(guard, key, 2 * GUARD_LIMITS.failures);
  await proxy.restore();
  await until('it is back', () => cuttable.status === 'ready');
  expect(await isOpen(guard, key)).toBe(true); // the state has outlived it
  cuttable.disconnect();
  await proxy.close();
});

test('a Redis that does not answer does not hold up a call', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const guard = guardWith(LONG, cuttable);
  proxy.freeze();
  expect(await acquire(guard, newKey())).not.toBeNull();
  cuttable.disconnect();
  await proxy.close();
});

test('nothing that a circuit leaves in Redis stays for ever, and nothing of it is a key', async () => {
  const guard = guardWith();
  const key = { provider: 'google', apiKey: `AIza-${randomUUID()}`, keyId: randomUUID() } as const;
  await fail(guard, key, 1);
  expect(await redis.pttl(hashOf(key))).toBeGreaterThan(0);
  await fail(guard, key, 4);
  expect(await redis.pttl(hashOf(key))).toBeGreaterThan(60_000);
  expect(await redis.pttl('agentforge:circuits:google')).toBeGreaterThan(60_000);
  const stored = [hashOf(key), ...(await redis.hvals(hashOf(key)))].join(' ');
  expect(stored).toContain(key.keyId);
  expect(stored).not.toContain(key.apiKey);
  expect(stored).not.toContain(key.apiKey.slice(-12));
});

test('a key that replaces another one begins with a closed circuit', async () => {
  const guard = guardWith();
  const keyId = randomUUID();
  await fail(guard, { provider: 'openai', apiKey: 'sk-old', keyId }, 5);
  expect(await isOpen(guard, { provider: 'openai', apiKey: 'sk-old', keyId })).toBe(true);
  const replaced = { provider: 'openai', apiKey: 'sk-new', keyId } as const;
  expect(await isOpen(guard, replaced)).toBe(false);
});

test('moves are counted by provider, and so are circuits that are not closed', async () => {
  const registry = new Registry();
  const metrics = createModelMetrics(registry);
  const guard = guardWith(SHORT, redis, metrics);
  const count = async () =>
    (await countCircuits({ redis })).find(({ provider }) => provider === 'anthropic');
  const before = await count();
  const key = newKey('anthropic');
  await fail(guard, key, 5);
  const sumOf = (it: typeof before) => (it?.open ?? 0) + (it?.halfOpen ?? 0);
  expect(sumOf(await count())).toBe(sumOf(before) + 1);
  const trial = await until('the cooldown is over', () => acquire(guard, key));
  await release(trial, ANSWERED);
  expect(sumOf(await count())).toBe(sumOf(before));
  const page = await registry.metrics();
  for (const state of ['open', 'half-open', 'closed']) {
    expect(page).toContain(`llm_circuit_moves_total{provider="anthropic",state="${state}"} 1`);
  }
});

test('a call that an open circuit refuses is counted by its reason', async () => {
  const registry = new Registry();
  const guard = guardWith(LONG, redis, createModelMetrics(registry));
  const key = newKey();
  await fail(guard, key, GUARD_LIMITS.failures);
  expect(await isOpen(guard, key)).toBe(true);
  const refused = 'llm_calls_held_back_total{provider="openai",reason="circuit-open"} 1';
  expect(await registry.metrics()).toContain(refused);
});
