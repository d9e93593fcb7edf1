/** Connections to the tests' Redis, also such that can be cut. */
import type { Redis } from 'ioredis';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from './servers.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

export async function openRedis(url = testServers().redisUrl): Promise<Redis> {
  const redis = connectRedis({ url, name: 'test', logger: silentLogger });
  await until('redis is there', () => redis.status === 'ready');
  return redis;
}

/** A connection through a proxy. */
export async function openCuttableRedis(): Promise<{ redis: Redis; proxy: TcpProxy }> {
  const { hostname: host, port } = new URL(testServers().redisUrl);
  const proxy = await startTcpProxy({ host, port: Number(port) });
  return { redis: await openRedis(`redis://127.0.0.1:${proxy.port}/0`), proxy };
}
