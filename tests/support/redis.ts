/** Connections to the tests' Redis, also through a proxy that can be cut. */
import type { Redis } from 'ioredis';
import { createMacs } from '../../events/macs.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from './servers.js';
import { startProxyOf } from './server-proxies.js';
import type { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

/** As all processes of one installation have them. */
export const TEST_MACS = createMacs([Buffer.alloc(32, 7)]);

export async function openRedis(url = testServers().redisUrl): Promise<Redis> {
  const redis = connectRedis({ url, name: 'test', logger: silentLogger });
  await until('redis is there', () => redis.status === 'ready');
  return redis;
}

/** A proxy to Redis that can be cut, and its address. */
export async function startRedisProxy(
  address = testServers().redisUrl,
): Promise<{ proxy: TcpProxy; url: string }> {
  const url = new URL(address);
  const proxy = await startProxyOf('redis');
  url.port = String(proxy.port);
  return { proxy, url: url.href };
}

/** A connection through a proxy. */
export async function openCuttableRedis(): Promise<{ redis: Redis; proxy: TcpProxy }> {
  const { proxy, url } = await startRedisProxy();
  return { redis: await openRedis(url), proxy };
}
