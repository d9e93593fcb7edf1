/** Calls in flight per key on a real Redis; several instances stand for several workers. */
import { randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { DomainError } from '../../domain/errors.js';
import { silentMetrics, type ModelMetrics } from '../../llm/metrics.js';
import type { PayingKey } from '../../llm/model.js';
import {
  createGuard,
  type CallOutcome,
  type Guard,
  type GuardDeps,
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

/** Waits for a permit so far, in all guards of this file. */
let waits = 0;
const metrics: ModelMetrics = { ...silentMetrics, waited: () => (waits += 1) };

function guardWith(options: Partial<GuardDeps & GuardLimits> = {}): Guard {
  return createGuard({
    ...{ redis, metrics, logger: silentLogger, callsPerKey: 2 },
    ...options,
    limits: options,
  });
}

const newKey = (provider: PayingKey['provider'] = 'openai'): PayingKey => ({
  provider,
  apiKey: 'sk-key',
  keyId: randomUUID(),
});
const queueOf = (key: PayingKey) => `agentforge:calls:${nameRateLimitKey(toRateLimitKey(key))}`;
const leasesOf = (key: PayingKey) => queueOf(key).replace(':calls:', ':calls-leases:');
/** Calls with a permit, and those that wait for one. */
const inQueue = (key: PayingKey) => redis.zcard(queueOf(key));
const never = new AbortController().signal;

/** @returns the permit, or the failure of a call that got none */
async function acquire(guard: Guard, key: PayingKey, signal = never) {
  const guarded = await guard.acquire(key, signal);
  return guarded.kind === 'permit' ? guarded : guarded.error;
}

async function acquireOrThrow(guard: Guard, key: PayingKey): Promise<Permit> {
  const permit = await acquire(guard, key);
  if (permit instanceof Error) {
    throw permit;
  }
  return permit;
}

async function release(permit: Permit, outcome: CallOutcome = { kind: 'unknown' }): Promise<void> {
  await using released = permit;
  released.outcome = outcome;
}

const NO_PERMIT = { code: 'model-on-hold', retryAfterSeconds: 1 };

test('two workers together never have more calls of a key in flight than it may have', async () => {
  const workers = [guardWith(), guardWith({ redis: other })];
  const key = newKey();
  let inFlight = 0;
  let most = 0;
  const call = async (guard: Guard) => {
    const permit = await acquireOrThrow(guard, key);
    inFlight += 1;
    most = Math.max(most, inFlight);
    await inQueue(key); // a while
    inFlight -= 1;
    await release(permit);
  };
  await Promise.all(workers.flatMap((guard) => Array.from({ length: 15 }, () => call(guard))));
  expect(most).toBe(2);
  expect(await inQueue(key)).toBe(0);
});

test('permits are given in the order of asking, on any worker', async () => {
  const workers = [guardWith({ callsPerKey: 1 }), guardWith({ callsPerKey: 1, redis: other })];
  const key = newKey();
  const order: number[] = [];
  const first = await acquireOrThrow(guardWith({ callsPerKey: 1 }), key);
  const before = waits;
  const calls: Promise<void>[] = [];
  for (const index of [0, 1, 2, 3]) {
    const guard = workers[index % 2] ?? guardWith();
    calls.push(
      acquireOrThrow(guard, key).then(async (permit) => {
        order.push(index);
        await release(permit);
      }),
    );
    await until('it is queued', async () => (await inQueue(key)) === index + 2);
  }
  await release(first);
  await Promise.all(calls);
  expect(order).toEqual([0, 1, 2, 3]);
  expect(waits).toBe(before + 4);
});

test('a key does not wait for the calls of another one', async () => {
  const guard = guardWith({ callsPerKey: 1 });
  const busy = newKey();
  const permit = await acquireOrThrow(guard, busy);
  const before = waits;
  await acquireOrThrow(guard, newKey());
  await acquireOrThrow(guard, { ...busy, provider: 'google' });
  expect(waits).toBe(before);
  await release(permit);
});

test('a call that waits in vain leaves the queue after a while, and the wait is measured', async () => {
  const registry = new Registry();
  const metrics = createModelMetrics(registry);
  const guard = guardWith({ callsPerKey: 1, permitTimeoutMs: 50, metrics });
  const key = newKey();
  const permit = await acquireOrThrow(guard, key);
  expect(await acquire(guard, key)).toMatchObject(NO_PERMIT);
  expect(await inQueue(key)).toBe(1);
  await release(permit);
  const page = await registry.metrics();
  expect(page).toContain('llm_place_wait_seconds_count{provider="openai"} 1');
  expect(page).toContain('llm_calls_held_back_total{provider="openai",reason="no-place"} 1');
});

test('a cancel ends the wait at once', async () => {
  const guard = guardWith({ callsPerKey: 1 });
  const key = newKey();
  const permit = await acquireOrThrow(guard, key);
  const controller = new AbortController();
  const waiting = expect(acquire(guard, key, controller.signal)).rejects.toMatchObject({
    code: 'cancelled',
  });
  await until('it is queued', async () => (await inQueue(key)) === 2);
  controller.abort();
  await waiting;
  expect(await inQueue(key)).toBe(1);
  await release(permit);
});

test('a cancelled call takes no permit, even if one is free', async () => {
  const key = newKey();
  const taking = acquire(guardWith(), key, AbortSignal.abort());
  await expect(taking).rejects.toMatchObject({ code: 'cancelled' });
  expect(await inQueue(key)).toBe(0);
});

test('the permits of a killed worker are free after their lease, and so is its place in the queue', async () => {
  const options = { callsPerKey: 1, leaseMs: 150 };
  const killed = await openRedis();
  const key = newKey();
  const dying = guardWith({ ...options, redis: killed });
  await acquireOrThrow(dying, key);
  const end = new AbortController();
  const waiting = acquire(dying, key, end.signal).catch(() => null);
  await until('both are queued', async () => (await inQueue(key)) === 2);
  killed.disconnect();
  const before = waits;
  const permit = await acquireOrThrow(guardWith(options), key);
  expect(waits).toBe(before + 1);
  expect(await inQueue(key)).toBe(1);
  await release(permit);
  end.abort();
  await waiting;
});

test('a call that takes longer than a lease keeps its permit', async () => {
  const guard = guardWith({ callsPerKey: 1, leaseMs: 90 });
  const key = newKey();
  const permit = await acquireOrThrow(guard, key);
  const readEnd = async () => {
    const [, score] = await redis.zrange(leasesOf(key), '0', '-1', 'WITHSCORES');
    return Number(score);
  };
  const first = await readEnd();
  await until('it is renewed', async () => (await readEnd()) > first + 90);
  const impatient = guardWith({ callsPerKey: 1, permitTimeoutMs: 20 });
  expect(await acquire(impatient, key)).toMatchObject(NO_PERMIT);
  await release(permit);
});

test('while Redis is away each process counts for itself', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const guard = guardWith({ redis: cuttable, permitTimeoutMs: 30 });
  const key = newKey();
  const before = await acquireOrThrow(guard, key);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  const during = await acquireOrThrow(guard, key);
  expect(await acquire(guard, key)).toMatchObject(NO_PERMIT);
  await release(before);
  const next = await acquireOrThrow(guard, key);
  await Promise.all([release(during), release(next)]);
  cuttable.disconnect();
  await proxy.close();
});

test('what waits while Redis goes away goes on when a call of its process ends', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const guard = guardWith({ redis: cuttable, callsPerKey: 1 });
  const key = newKey();
  const first = await acquireOrThrow(guard, key);
  const second = acquireOrThrow(guard, key);
  await until('it is queued', async () => (await inQueue(key)) === 2);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  await release(first);
  await release(await second);
  cuttable.disconnect();
  await proxy.close();
});

test('nothing stays in Redis for ever', async () => {
  const key = newKey();
  await acquireOrThrow(guardWith(), key);
  for (const name of [queueOf(key), leasesOf(key)]) {
    const leftMs = await redis.pttl(name);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(10_000);
  }
});

test('a circuit that opens refuses the calls that wait for a permit', async () => {
  const guards = [guardWith({ callsPerKey: 1 }), guardWith({ callsPerKey: 1, redis: other })];
  const key = newKey();
  const first = await acquireOrThrow(guardWith({ callsPerKey: 1 }), key);
  const waiting = guards.map((guard) => acquire(guard, key));
  await until('both are queued', async () => (await inQueue(key)) === 3);
  await release(first, { kind: 'failed', askedMs: 60_000 });
  for (const refused of await Promise.all(waiting)) {
    expect(refused).toMatchObject({
      code: 'model-on-hold',
      message: expect.stringContaining('cooldown'),
    });
    expect(refused instanceof DomainError && refused.retryAfterSeconds).toBeGreaterThan(50);
  }
  expect(await inQueue(key)).toBe(0);
});

test('a call that waits for a permit leaves the trial of a half-open circuit to others', async () => {
  const key = newKey();
  const guard = guardWith({ callsPerKey: 1, firstCooldownMs: 1, failures: 1 });
  const early = await acquireOrThrow(guardWith({ callsPerKey: 2 }), key);
  const failing = await acquireOrThrow(guardWith({ callsPerKey: 2 }), key);
  await release(failing, { kind: 'failed', askedMs: 1 });
  const circuit = queueOf(key).replace(':calls:', ':circuit:');
  await until('the cooldown is over', async () => {
    const [seconds, micros] = await redis.time();
    const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    return now > Number(await redis.hget(circuit, 'openUntil'));
  });
  const waiting = acquire(guard, key);
  await until('it is queued', async () => (await inQueue(key)) === 2);
  expect(await redis.hexists(circuit, 'probe')).toBe(0);
  await release(early);
  const trial = await waiting;
  expect(trial).toMatchObject({ kind: 'permit' });
  expect(await redis.hexists(circuit, 'probe')).toBe(1);
  await release(trial as Permit, { kind: 'answered' });
  expect(await redis.exists(circuit)).toBe(0);
});

test('circuit and permit are one command, and so is their release', async () => {
  const counting = await openRedis();
  const sent = jest.spyOn(counting, 'eval');
  const permit = await acquireOrThrow(guardWith({ redis: counting }), newKey());
  expect(sent).toHaveBeenCalledTimes(1);
  await release(permit, { kind: 'answered' });
  expect(sent).toHaveBeenCalledTimes(2);
  counting.disconnect();
});

test('a call of the simulated provider needs no permit', async () => {
  const guard = guardWith({ callsPerKey: 0, permitTimeoutMs: 1 });
  const permit = await acquireOrThrow(guard, newKey('simulated'));
  await release(permit, { kind: 'failed', askedMs: 60_000 });
  await acquireOrThrow(guard, newKey('simulated'));
});
