/** Proxies to the tests' servers that can be cut. */
import { testServers } from './servers.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export type Part = 'postgres' | 'redis' | 'temporal';

export async function startProxyOf(part: Part): Promise<TcpProxy> {
  const { databaseUrl, redisUrl, temporalAddress } = testServers();
  const addresses = {
    postgres: databaseUrl,
    redis: redisUrl,
    temporal: `http://${temporalAddress}`,
  };
  const { hostname, port } = new URL(addresses[part]);
  return startTcpProxy({ host: hostname, port: Number(port) });
}
