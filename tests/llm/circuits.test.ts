/** Circuits on a real Redis; several instances stand for several workers. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import {
  CIRCUIT_LIMITS,
  createCircuits,
  type CallOutcome,
  type CircuitLimits,
  type Circuits,
} from '../../llm/circuits.js';
import { lineOf, type Line } from '../../llm/lines.js';
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

const ANSWERED: CallOutcome = { kind: 'answered' };
const FAILED: CallOutcome = { kind: 'failed', askedMs: 0 };
const NOTHING: CallOutcome = { kind: 'nothing' };

/** Rests are over at once, or never, as far as a test is concerned. */
const SHORT = { firstRestMs: 30, longestRestMs: 120 };
const LONG = { firstRestMs: 60_000 };

function circuitsWith(limits: Partial<CircuitLimits> = LONG, connection = redis): Circuits {
  return createCircuits({ redis: connection, logger: silentLogger, limits });
}

function newLine(provider: Line['provider'] = 'openai'): Line {
  return { provider, payer: randomUUID() };
}

async function granted(circuits: Circuits, line: Line) {
  const entry = await circuits.enter(line);
  return entry.kind === 'granted' ? entry : null;
}

async function call(circuits: Circuits, line: Line, outcome: CallOutcome): Promise<void> {
  const entry = await granted(circuits, line);
  if (entry === null) {
    throw new Error('the circuit is open');
  }
  await entry.leave(outcome);
}

async function fail(circuits: Circuits, line: Line, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await call(circuits, line, FAILED);
  }
}

const isOpen = async (circuits: Circuits, line: Line) =>
  (await circuits.enter(line)).kind === 'resting';

/** An open circuit whose rest is over, so that the next one probes it. */
async function restedLine(circuits: Circuits): Promise<Line> {
  const line = newLine();
  await fail(circuits, line, CIRCUIT_LIMITS.failures);
  await until('it has rested', async () => {
    const openUntil = Number(await redis.hget(keyOf(line), 'openUntil'));
    return openUntil > 0 && (await redisTime()) > openUntil;
  });
  return line;
}

/** Whole milliseconds, as the scripts count. */
async function redisTime(): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

const keyOf = ({ provider, payer }: Line) => `agentforge:circuit:${provider}:${payer}`;

test('five failures in a row open a circuit, for every worker, and for this key alone', async () => {
  const [one, two] = [circuitsWith(), circuitsWith(LONG, other)];
  const line = newLine();
  await fail(one, line, 4);
  expect(await isOpen(two, line)).toBe(false);
  await fail(two, line, 1);
  const entry = await one.enter(line);
  expect(entry).toMatchObject({ kind: 'resting' });
  expect(entry.kind === 'resting' && entry.waitMs).toBeGreaterThan(59_000);
  expect(await isOpen(two, line)).toBe(true);
  expect(await isOpen(one, { ...line, provider: 'google' })).toBe(false);
  expect(await isOpen(one, { ...line, payer: randomUUID() })).toBe(false);
});

test('an answer between them ends the row; what says nothing of the vendor does not', async () => {
  const circuits = circuitsWith();
  const line = newLine();
  await fail(circuits, line, 4);
  await call(circuits, line, ANSWERED);
  await fail(circuits, line, 4);
  await call(circuits, line, NOTHING);
  expect(await isOpen(circuits, line)).toBe(false);
  await fail(circuits, line, 1);
  expect(await isOpen(circuits, line)).toBe(true);
});

test('failures that are far apart are no row', async () => {
  const circuits = circuitsWith({ ...LONG, windowMs: 40 });
  const line = newLine();
  await fail(circuits, line, 4);
  await until('they are forgotten', async () => (await redis.exists(keyOf(line))) === 0);
  await fail(circuits, line, 4);
  expect(await isOpen(circuits, line)).toBe(false);
});

test('of any number of workers exactly one probes a rested circuit', async () => {
  const line = await restedLine(circuitsWith(SHORT));
  const workers = [circuitsWith(SHORT), circuitsWith(SHORT, other)];
  const entries = await Promise.all(
    Array.from({ length: 15 }, () => workers.map((circuits) => circuits.enter(line))).flat(),
  );
  expect(entries.filter(({ kind }) => kind === 'granted')).toHaveLength(1);
  for (const entry of entries) {
    expect(entry.kind === 'resting' ? entry.waitMs : 1).toBeLessThanOrEqual(1_000);
  }
});

test('a probe that is answered closes the circuit for all', async () => {
  const [one, two] = [circuitsWith(SHORT), circuitsWith(SHORT, other)];
  const line = await restedLine(one);
  await call(two, line, ANSWERED);
  const entries = await Promise.all([one.enter(line), one.enter(line), two.enter(line)]);
  expect(entries.map(({ kind }) => kind)).toEqual(['granted', 'granted', 'granted']);
});

test('a probe that fails doubles the rest, up to the longest', async () => {
  const circuits = circuitsWith(SHORT);
  const line = await restedLine(circuits);
  for (const restMs of [60, 120, 120, 120]) {
    const probe = await until('it is probed', () => granted(circuits, line));
    const before = await redisTime();
    await probe.leave(FAILED);
    const after = await redisTime();
    const openUntil = Number(await redis.hget(keyOf(line), 'openUntil'));
    expect(openUntil - restMs).toBeGreaterThanOrEqual(before);
    expect(openUntil - restMs).toBeLessThanOrEqual(after);
  }
  expect(await redis.hget(keyOf(line), 'rests')).toBe('5');
});

test('a probe that made no call leaves the circuit as it was, for the next one to probe', async () => {
  const circuits = circuitsWith(SHORT);
  const line = await restedLine(circuits);
  const probe = await granted(circuits, line);
  expect(await isOpen(circuits, line)).toBe(true);
  await probe?.leave(NOTHING);
  expect(await granted(circuits, line)).not.toBeNull();
  expect(await isOpen(circuits, line)).toBe(true);
});

test('the probe of a killed worker does not block the next one for long', async () => {
  const limits = { ...SHORT, probeLeaseMs: 100 };
  const line = await restedLine(circuitsWith(limits));
  const killed = await openRedis();
  expect(await granted(circuitsWith(limits, killed), line)).not.toBeNull();
  killed.disconnect();
  const circuits = circuitsWith(limits);
  expect(await isOpen(circuits, line)).toBe(true);
  const probe = await until('it is free', () => granted(circuits, line));
  await probe.leave(ANSWERED);
  expect(await isOpen(circuits, line)).toBe(false);
});

test('a probe that takes long is kept from others, and counts in the end', async () => {
  const circuits = circuitsWith({ ...SHORT, probeLeaseMs: 90 });
  const line = await restedLine(circuits);
  const probe = await granted(circuits, line);
  const readEnd = async () => Number(await redis.hget(keyOf(line), 'probeUntil'));
  const first = await readEnd();
  await until('it is renewed', async () => (await readEnd()) > first + 90);
  expect(await isOpen(circuits, line)).toBe(true);
  await probe?.leave(ANSWERED);
  expect(await redis.exists(keyOf(line))).toBe(0);
});

test('what the vendor asks for opens a circuit at once, for so long, up to a limit', async () => {
  const circuits = circuitsWith({ longestAskedMs: 90_000 });
  const line = newLine();
  const waitMs = async () => {
    const entry = await circuits.enter(line);
    return entry.kind === 'resting' ? entry.waitMs : 0;
  };
  const late = await granted(circuits, line);
  await call(circuits, line, { kind: 'failed', askedMs: 1_500.5 });
  expect(await waitMs()).toBeGreaterThan(500);
  expect(await waitMs()).toBeLessThanOrEqual(1_501);
  await late?.leave({ kind: 'failed', askedMs: 1_000_000 }); // in flight when it opened
  expect(await waitMs()).toBeGreaterThan(80_000);
  expect(await waitMs()).toBeLessThanOrEqual(90_000);
});

test('calls that were begun before it opened neither close an open circuit nor keep it open', async () => {
  const circuits = circuitsWith(SHORT);
  const line = newLine();
  const [early, late] = [await granted(circuits, line), await granted(circuits, line)];
  await fail(circuits, line, CIRCUIT_LIMITS.failures);
  const openUntil = await redis.hget(keyOf(line), 'openUntil');
  await early?.leave(ANSWERED);
  await late?.leave(FAILED);
  expect(await redis.hget(keyOf(line), 'openUntil')).toBe(openUntil);
});

test('while Redis is away every circuit counts as closed', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const circuits = circuitsWith(LONG, cuttable);
  const line = newLine();
  await fail(circuits, line, CIRCUIT_LIMITS.failures);
  expect(await isOpen(circuits, line)).toBe(true);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  await fail(circuits, line, 2 * CIRCUIT_LIMITS.failures);
  await proxy.restore();
  await until('it is back', () => cuttable.status === 'ready');
  expect(await isOpen(circuits, line)).toBe(true); // the state has outlived it
  cuttable.disconnect();
  await proxy.close();
});

test('a Redis that does not answer does not hold up a call', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const circuits = circuitsWith(LONG, cuttable);
  proxy.freeze();
  expect(await granted(circuits, newLine())).not.toBeNull();
  cuttable.disconnect();
  await proxy.close();
});

test('nothing that a circuit leaves in Redis stays for ever, and nothing of it is a key', async () => {
  const circuits = circuitsWith();
  const key = { provider: 'google', apiKey: `AIza-${randomUUID()}`, keyId: randomUUID() } as const;
  const line = lineOf(key);
  await fail(circuits, line, 1);
  expect(await redis.pttl(keyOf(line))).toBeGreaterThan(0);
  await fail(circuits, line, 4);
  expect(await redis.pttl(keyOf(line))).toBeGreaterThan(60_000);
  expect(await redis.pttl('agentforge:circuits:google')).toBeGreaterThan(60_000);
  const stored = [keyOf(line), ...(await redis.hvals(keyOf(line)))].join(' ');
  expect(stored).toContain(key.keyId);
  expect(stored).not.toContain(key.apiKey);
  expect(stored).not.toContain(key.apiKey.slice(-12));
});

test('a key that replaces another one begins with a closed circuit', async () => {
  const circuits = circuitsWith();
  const keyId = randomUUID();
  await fail(circuits, lineOf({ provider: 'openai', apiKey: 'sk-old', keyId }), 5);
  expect(await isOpen(circuits, lineOf({ provider: 'openai', apiKey: 'sk-old', keyId }))).toBe(
    true,
  );
  const replaced = lineOf({ provider: 'openai', apiKey: 'sk-new', keyId });
  expect(await isOpen(circuits, replaced)).toBe(false);
});

test('moves are counted by vendor, and whatever is not closed is told', async () => {
  const registry = new Registry();
  const metrics = createModelMetrics(registry);
  const circuits = createCircuits({ redis, logger: silentLogger, metrics, limits: SHORT });
  const before = (await circuits.count()).find(({ provider }) => provider === 'anthropic');
  const line = newLine('anthropic');
  await fail(circuits, line, 5);
  const now = async () => (await circuits.count()).find(({ provider }) => provider === 'anthropic');
  const sumOf = (it: typeof before) => (it?.open ?? 0) + (it?.halfOpen ?? 0);
  expect(sumOf(await now())).toBe(sumOf(before) + 1);
  const probe = await until('it has rested', () => granted(circuits, line));
  await probe.leave(ANSWERED);
  expect(sumOf(await now())).toBe(sumOf(before));
  const page = await registry.metrics();
  for (const state of ['open', 'half-open', 'closed']) {
    expect(page).toContain(`llm_circuit_moves_total{provider="anthropic",state="${state}"} 1`);
  }
});
