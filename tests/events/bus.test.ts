import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { StoredEvent } from '../../domain/events.js';
import { createBus, type Bus, type Hint } from '../../events/bus.js';
import { channelOf } from '../../events/notifications.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from '../support/servers.js';
import { type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startRedisProxy, TEST_MACS } from '../support/redis.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((part) => part.close()));
});

async function startBus(redisUrl = testServers().redisUrl): Promise<Bus> {
  const bus = createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  open.push(bus);
  await until('the bus is available', () => bus.isAvailable());
  return bus;
}

async function startProxy(): Promise<{ proxy: TcpProxy; url: string }> {
  const started = await startRedisProxy();
  open.push(started.proxy);
  return started;
}

async function subscribe(
  bus: Bus,
  streamId: string,
): Promise<{ notifications: Hint[]; stop: () => void }> {
  const notifications: Hint[] = [];
  const stop = await bus.subscribe(streamId, (notification) => notifications.push(notification));
  return { notifications, stop };
}

const event = (seq: number, content = 'careful'): StoredEvent => ({
  type: 'security_warning',
  content,
  safe: false,
  seq,
  timestamp: '2026-03-01T09:00:00.000+00:00',
});

test('events reach every subscriber of their stream in every process, and no other', async () => {
  const [one, two] = [await startBus(), await startBus()];
  const streamId = randomUUID();
  const subscriptions = [
    await subscribe(one, streamId),
    await subscribe(two, streamId),
    await subscribe(two, streamId),
  ];
  const other = await subscribe(two, randomUUID());
  await one.publish(streamId, [event(1), event(2)]);
  await until('all have received it', () =>
    subscriptions.every(({ notifications }) => notifications.length === 1),
  );
  for (const { notifications } of subscriptions) {
    expect(notifications).toEqual([{ events: [event(1), event(2)] }]);
  }
  expect(other.notifications).toEqual([]);
});

test('a subscription ends alone, and its channel with the last one', async () => {
  const bus = await startBus();
  const redis = new Redis(testServers().redisUrl);
  open.push({
    close: () => {
      redis.disconnect();
    },
  });
  const streamId = randomUUID();
  const subscribers = async () => (await redis.pubsub('NUMSUB', channelOf(streamId)))[1];
  const [first, second] = [await subscribe(bus, streamId), await subscribe(bus, streamId)];
  expect(Number(await subscribers())).toBe(1);
  first.stop();
  await bus.publish(streamId, [event(1)]);
  await until('the second has received it', () => second.notifications.length === 1);
  expect(first.notifications).toEqual([]);
  second.stop();
  await until('the channel has ended', async () => Number(await subscribers()) === 0);
});

test('events of more than 64 KiB go out as an empty notification', async () => {
  const bus = await startBus();
  const streamId = randomUUID();
  const { notifications } = await subscribe(bus, streamId);
  await bus.publish(streamId, [event(1, 'x'.repeat(70_000))]);
  await until('the nudge has come', () => notifications.length === 1);
  expect(notifications).toEqual([{ nudge: true }]);
});

test.each(['not json', '{}', '{"events":[{"seq":0}]}', '{"events":"all"}'])(
  'an unreadable message (%s) is an empty notification',
  async (text) => {
    const bus = await startBus();
    const redis = new Redis(testServers().redisUrl);
    open.push({
      close: () => {
        redis.disconnect();
      },
    });
    const streamId = randomUUID();
    const { notifications } = await subscribe(bus, streamId);
    await redis.publish(channelOf(streamId), text);
    await until('the nudge has come', () => notifications.length === 1);
    expect(notifications).toEqual([{ nudge: true }]);
  },
);

test('what is published while redis is away arrives as one empty notification when it is back', async () => {
  const { proxy, url } = await startProxy();
  const [cutOff, listening] = [await startBus(url), await startBus()];
  const streamId = randomUUID();
  const { notifications } = await subscribe(listening, streamId);
  await proxy.cut();
  await until('the outage is noticed', () => !cutOff.isAvailable());
  await cutOff.publish(streamId, [event(1)]);
  await cutOff.publish(streamId, [event(2)]);
  expect(notifications).toEqual([]);
  await proxy.restore();
  await until('the nudge has come', () => notifications.length > 0);
  expect(notifications).toEqual([{ nudge: true }]);
});

test('after an outage each subscribed stream gets an empty notification, and then events again', async () => {
  const { proxy, url } = await startProxy();
  const bus = await startBus(url);
  const changes: boolean[] = [];
  bus.onChange((available) => changes.push(available));
  const streamId = randomUUID();
  const before = await subscribe(bus, streamId);
  await proxy.cut();
  await until('the outage is noticed', () => !bus.isAvailable());
  const during = await subscribe(bus, randomUUID());
  await proxy.restore();
  await until(
    'both are nudged',
    () => before.notifications.length > 0 && during.notifications.length > 0,
  );
  expect(changes).toEqual([false, true]);
  await bus.publish(streamId, [event(1)]);
  await until('the event has come', () => before.notifications.length === 2);
  expect(before.notifications[1]).toEqual({ events: [event(1)] });
});

test('a network that drops everything is noticed, and publishing does not wait for it', async () => {
  const { proxy, url } = await startProxy();
  const bus = await startBus(url);
  proxy.freeze();
  await bus.publish(randomUUID(), [event(1)]);
  await bus.publish(randomUUID(), [event(1)]);
  await until('the outage is noticed', () => !bus.isAvailable());
  await proxy.restore();
  await until('the bus is back', () => bus.isAvailable());
});

test('a changed key is published to every process, and after an outage any key may have changed', async () => {
  const { proxy, url } = await startProxy();
  const [one, two] = [await startBus(), await startBus(url)];
  const changes: (string | null)[] = [];
  await two.onKeyChanged((userId) => changes.push(userId));
  const userId = randomUUID();
  await one.publishKeyChanged(userId);
  await until('the change has come', () => changes.length === 1);
  await proxy.cut();
  await until('the outage is noticed', () => !two.isAvailable());
  await proxy.restore();
  await until('the outage is made up for', () => changes.length === 2);
  expect(changes).toEqual([userId, null]);
});
