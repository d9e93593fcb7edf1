import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { StoredEvent } from '../../domain/events.js';
import { announceEvents } from '../../events/announce.js';
import { createBus, type Bus, type Hint } from '../../events/bus.js';
import { connectRedis } from '../../events/redis.js';
import { readSessionView, writeSessionView, type SessionStore } from '../../events/session-view.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from '../support/servers.js';
import { TEST_MACS } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: Redis;
let bus: Bus;
let store: SessionStore;
beforeAll(async () => {
  const { redisUrl } = testServers();
  redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  store = { redis, macs: TEST_MACS };
  bus = createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  await until('redis is there', () => redis.status === 'ready' && bus.isAvailable());
});
afterAll(async () => {
  await bus.close();
  redis.disconnect();
});

const started = (streamId: string, seq: number, conversationId?: string): StoredEvent => ({
  type: 'pipeline_started',
  design_name: 'Quick look',
  agent_count: 1,
  pipeline_id: randomUUID(),
  seq,
  timestamp: '2026-11-22T12:00:00.000+00:00',
  ...(conversationId === undefined ? {} : { conversation_id: conversationId }),
});
const shown = {
  userId: randomUUID(),
  state: 'plan',
  round: 1,
  version: 2,
  designs: [],
  lastSeq: 4,
};

test('a run’s events reach subscribers, and the session view of its conversation', async () => {
  const id = randomUUID();
  await writeSessionView(store, id, shown);
  const heard: Hint[] = [];
  const stop = await bus.subscribe(id, (hint) => heard.push(hint));
  const events = [started(id, 5, id), started(id, 6, id)];
  await announceEvents({ bus, redis }, id, events);
  await until('they are heard', () => heard.some((hint) => 'events' in hint));
  stop();
  expect(heard).toContainEqual({ events });
  expect(await readSessionView(store, id)).toEqual({ ...shown, lastSeq: 6 });
});

test('a run without a conversation has no session view', async () => {
  const id = randomUUID();
  await announceEvents({ bus, redis }, id, [started(id, 1)]);
  await announceEvents({ bus, redis }, id, []);
  expect(await readSessionView(store, id)).toBeNull();
});
