import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

const MAX_ADDRESS_LENGTH = 64;

/**
 * The client's address behind N trusted proxies, from `X-Forwarded-For`.
 *
 * The contract (security §12) assumes proxies that write their own address behind their client's:
 * `203.0.113.50, 10.0.0.1` with N = 1, so the entry at position N+1 from the right counts. Most
 * proxies append their peer's address instead, and there that entry is whatever the client wrote.
 * So a public address among the last N entries is no proxy of ours but the client itself; only
 * where all N are private does the entry before them count.
 */
export function clientIpOf(request: IncomingMessage, trustedProxyCount: number): string {
  const peer = plainAddress(request.socket.remoteAddress ?? 'unknown');
  const entries = [request.headers['x-forwarded-for'] ?? []]
    .flat()
    .flatMap((header) => header.split(','))
    .map((entry) => plainAddress(entry.trim().slice(0, MAX_ADDRESS_LENGTH)))
    .filter((entry) => entry !== '');
  if (trustedProxyCount === 0 || entries.length === 0) {
    return peer;
  }
  const client = entries.slice(-trustedProxyCount).findLast((entry) => !isPrivate(entry));
  return client ?? entries.at(-(trustedProxyCount + 1)) ?? entries[0] ?? peer;
}

/** An IPv4 address is the same one when it is written as IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

function isPrivate(address: string): boolean {
  return (
    (isIPv4(address) && PRIVATE.check(address)) ||
    (isIPv6(address) && PRIVATE.check(address, 'ipv6'))
  );
}
