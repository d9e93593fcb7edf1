import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createLeases, type Leases } from '../../api/socket/leases.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';

let redis: Redis;
const open: Leases[] = [];
beforeAll(async () => {
  redis = connectRedis({ url: testServers().redisUrl, name: 'test', logger: silentLogger });
  await until('redis is there', () => redis.status === 'ready');
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((leases) => leases.close()));
});
afterAll(() => {
  redis.disconnect();
});

const LEASE_SECONDS = 30;

function gatewayNamed(gateway: string, leaseSeconds = LEASE_SECONDS): Leases {
  const leases = createLeases({ redis, leaseSeconds, gateway, logger: silentLogger });
  open.push(leases);
  return leases;
}

const nameKeyOf = (gateway: string) => `agentforge:gateway:${encodeURIComponent(gateway)}`;

test('nothing that a gateway leaves in Redis outlives its leases', async () => {
  const [gateway, userId] = [`host:${randomUUID()}`, randomUUID()];
  await gatewayNamed(gateway).acquire(userId, 2);
  for (const key of [nameKeyOf(gateway), `agentforge:sockets:${userId}`]) {
    const leftMs = await redis.pttl(key);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(LEASE_SECONDS * 1_000);
  }
  expect(await redis.hexists('agentforge:gateways', encodeURIComponent(gateway))).toBe(0);
});

test('a gateway keeps its name as long as it holds a lease', async () => {
  const gateway = `host:${randomUUID()}`;
  await gatewayNamed(gateway, 1).acquire(randomUUID(), 2);
  await redis.pexpire(nameKeyOf(gateway), 500);
  await until('it is renewed', async () => (await redis.pttl(nameKeyOf(gateway))) > 500);
});

test('leases of an earlier process of a gateway are free, those of other gateways are not', async () => {
  const [gateway, userId] = [`host:${randomUUID()}`, randomUUID()];
  await gatewayNamed(gateway).acquire(userId, 2);
  await gatewayNamed(`host:${randomUUID()}`).acquire(userId, 2);
  const restarted = gatewayNamed(gateway);
  expect(await restarted.acquire(userId, 2)).not.toBeNull();
  expect(await restarted.acquire(userId, 2)).toBeNull();
});

test('a lease outlasts the name of its gateway, which says nothing about another process', async () => {
  const [gateway, userId] = [`host:${randomUUID()}`, randomUUID()];
  await gatewayNamed(gateway).acquire(userId, 1);
  await redis.del(nameKeyOf(gateway));
  expect(await gatewayNamed(`host:${randomUUID()}`).acquire(userId, 1)).toBeNull();
});

test('a lease that is released twice is released once', async () => {
  const userId = randomUUID();
  const leases = gatewayNamed(`host:${randomUUID()}`);
  const [first, second] = [await leases.acquire(userId, 2), await leases.acquire(userId, 2)];
  await first?.release();
  await first?.release();
  expect(await redis.zcard(`agentforge:sockets:${userId}`)).toBe(1);
  await second?.release();
});
