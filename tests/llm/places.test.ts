/** Calls in flight per key on a real Redis; several instances stand for several workers. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import type { Line } from '../../llm/lines.js';
import { createPlaces, type Place, type Places, type PlacesDeps } from '../../llm/places.js';
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

function placesWith(options: Partial<PlacesDeps> = {}): Places {
  return createPlaces({ redis, logger: silentLogger, callsPerKey: 2, ...options });
}

const newLine = (): Line => ({ provider: 'openai', payer: randomUUID() });
const inLine = ({ payer }: Line) => redis.zcard(`agentforge:calls:openai:${payer}`);
const never = new AbortController().signal;

async function taken(places: Places, line: Line): Promise<Place> {
  const place = await places.take(line, never);
  if (place === null) {
    throw new Error('no place became free');
  }
  return place;
}

test('two workers together never have more calls of a key in flight than it may have', async () => {
  const workers = [placesWith(), placesWith({ redis: other })];
  const line = newLine();
  let inFlight = 0;
  let most = 0;
  const call = async (places: Places) => {
    const place = await taken(places, line);
    inFlight += 1;
    most = Math.max(most, inFlight);
    await inLine(line); // a while
    inFlight -= 1;
    await place.leave();
  };
  await Promise.all(workers.flatMap((places) => Array.from({ length: 15 }, () => call(places))));
  expect(most).toBe(2);
  expect(await inLine(line)).toBe(0);
});

test('whoever came first is first, on whichever worker', async () => {
  const workers = [placesWith({ callsPerKey: 1 }), placesWith({ callsPerKey: 1, redis: other })];
  const line = newLine();
  const order: number[] = [];
  const first = await taken(placesWith({ callsPerKey: 1 }), line);
  expect(first.hasWaited).toBe(false);
  const calls: Promise<void>[] = [];
  for (const index of [0, 1, 2, 3]) {
    const places = workers[index % 2] ?? placesWith();
    calls.push(
      taken(places, line).then(async (place) => {
        expect(place.hasWaited).toBe(true);
        order.push(index);
        await place.leave();
      }),
    );
    await until('it stands in line', async () => (await inLine(line)) === index + 2);
  }
  await first.leave();
  await Promise.all(calls);
  expect(order).toEqual([0, 1, 2, 3]);
});

test('a key does not wait for the calls of another one', async () => {
  const places = placesWith({ callsPerKey: 1 });
  const busy = newLine();
  const place = await taken(places, busy);
  expect((await taken(places, newLine())).hasWaited).toBe(false);
  expect((await taken(places, { ...busy, provider: 'google' })).hasWaited).toBe(false);
  await place.leave();
});

test('who waits in vain leaves the line after a while, and the wait is measured', async () => {
  const registry = new Registry();
  const metrics = createModelMetrics(registry);
  const places = placesWith({ callsPerKey: 1, patienceMs: 50, metrics });
  const line = newLine();
  const place = await taken(places, line);
  expect(await places.take(line, never)).toBeNull();
  expect(await inLine(line)).toBe(1);
  await place.leave();
  const page = await registry.metrics();
  expect(page).toContain('llm_place_wait_seconds_count{provider="openai"} 1');
});

test('a cancel ends the wait at once', async () => {
  const places = placesWith({ callsPerKey: 1 });
  const line = newLine();
  const place = await taken(places, line);
  const controller = new AbortController();
  const waiting = expect(places.take(line, controller.signal)).rejects.toMatchObject({
    code: 'cancelled',
  });
  await until('it stands in line', async () => (await inLine(line)) === 2);
  controller.abort();
  await waiting;
  expect(await inLine(line)).toBe(1);
  await place.leave();
});

test('a cancelled call takes no place, even if one is free', async () => {
  const line = newLine();
  const taking = placesWith().take(line, AbortSignal.abort());
  await expect(taking).rejects.toMatchObject({ code: 'cancelled' });
  expect(await inLine(line)).toBe(0);
});

test('the places of a killed worker are free after their lease, and so is its turn', async () => {
  const options = { callsPerKey: 1, leaseMs: 150 };
  const killed = await openRedis();
  const line = newLine();
  const dying = placesWith({ ...options, redis: killed });
  await taken(dying, line);
  const end = new AbortController();
  const waiting = dying.take(line, end.signal).catch(() => null);
  await until('both stand in line', async () => (await inLine(line)) === 2);
  killed.disconnect();
  const place = await taken(placesWith(options), line);
  expect(place.hasWaited).toBe(true);
  expect(await inLine(line)).toBe(1);
  await place.leave();
  end.abort();
  await waiting;
});

test('a call that takes longer than a lease keeps its place', async () => {
  const places = placesWith({ callsPerKey: 1, leaseMs: 90 });
  const line = newLine();
  const place = await taken(places, line);
  const readEnd = async () => {
    const [, score] = await redis.zrange(
      `agentforge:calls-leases:openai:${line.payer}`,
      '0',
      '-1',
      'WITHSCORES',
    );
    return Number(score);
  };
  const first = await readEnd();
  await until('it is renewed', async () => (await readEnd()) > first + 90);
  expect(await placesWith({ callsPerKey: 1, patienceMs: 20 }).take(line, never)).toBeNull();
  await place.leave();
});

test('while Redis is away each process counts for itself', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const places = placesWith({ redis: cuttable, patienceMs: 30 });
  const line = newLine();
  const before = await taken(places, line);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  const during = await taken(places, line);
  expect(await places.take(line, never)).toBeNull();
  await before.leave();
  const next = await taken(places, line);
  await Promise.all([during.leave(), next.leave()]);
  cuttable.disconnect();
  await proxy.close();
});

test('what waits while Redis goes away goes on when a call of its process ends', async () => {
  const { redis: cuttable, proxy } = await openCuttableRedis();
  const places = placesWith({ redis: cuttable, callsPerKey: 1 });
  const line = newLine();
  const first = await taken(places, line);
  const second = taken(places, line);
  await until('it stands in line', async () => (await inLine(line)) === 2);
  await proxy.cut();
  await until('it is away', () => cuttable.status !== 'ready');
  await first.leave();
  await (await second).leave();
  cuttable.disconnect();
  await proxy.close();
});

test('nothing stays in Redis for ever', async () => {
  const line = newLine();
  await taken(placesWith(), line);
  for (const key of ['calls', 'calls-leases']) {
    const leftMs = await redis.pttl(`agentforge:${key}:openai:${line.payer}`);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(10_000);
  }
});
