import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { parseAddress } from '../../../domain/security/ip-addresses.js';

/** An IPv6 address with brackets, a zone and a port. */
const MAX_ADDRESS_LENGTH = 128;

/**
 * The client's address behind N trusted proxies, from `X-Forwarded-For`.
 *
 * The contract (security §12) assumes proxies that write their own address behind their client's:
 * `203.0.113.50, 10.0.0.1` with N = 1, so the entry at position N+1 from the right counts. Most
 * proxies append their peer's address instead, and there that entry is what the client wrote.
 * So a public address among the last N entries is no proxy of ours but the client itself; only
 * where all N are private does the entry before them count, and only if it is an address.
 */
export function clientIpOf(request: IncomingMessage, trustedProxyCount: number): string {
  const peer = plainAddress(request.socket.remoteAddress ?? '') ?? 'unknown';
  const entries = [request.headers['x-forwarded-for'] ?? []]
    .flat()
    .flatMap((header) => header.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(plainAddress);
  if (trustedProxyCount === 0 || entries.length === 0) {
    return peer;
  }
  const ofProxies = entries.slice(-trustedProxyCount);
  const client = ofProxies.findLast((entry) => entry !== null && !isPrivate(entry));
  const before = entries.length > trustedProxyCount ? entries.at(-(trustedProxyCount + 1)) : null;
  return client ?? before ?? ofProxies.find((entry) => entry !== null) ?? peer;
}

/**
 * One spelling for each address: without quotes, port, brackets and zone, IPv6 as RFC 5952 has it, and IPv4
 * as itself also where it is written as IPv6.
 *
 * @returns null for what is no address
 */
export function plainAddress(text: string): string | null {
  if (text.length > MAX_ADDRESS_LENGTH) {
    return null;
  }
  const bare = /^"([^"]*)"$/.exec(text)?.[1] ?? text;
  const withoutPort = /^(\[[^\]]*\]|[\d.]+):\d{1,5}$/.exec(bare)?.[1] ?? bare;
  const bytes = parseAddress(withoutPort)?.bytes;
  return bytes === undefined ? null : textOf(isPrefix(MAPPED, bytes) ? bytes.slice(-4) : bytes);
}

/** `::ffff:0:0/96`: how a server for both kinds shows an IPv4 client. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/** `64:ff9b::/96`: an IPv4 client behind a translator. Source: RFC 6052 */
const TRANSLATED = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
/** `2002::/16`, followed by an IPv4 address. Source: RFC 3056 */
const SIX_TO_FOUR = [0x20, 0x02];
const IPV4_BYTES = 4;

function isPrefix(prefix: readonly number[], bytes: readonly number[]): boolean {
  return bytes.length > IPV4_BYTES && prefix.every((byte, index) => bytes[index] === byte);
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === IPV4_BYTES) {
    return bytes.join('.');
  }
  const groups = bytes.flatMap((byte, index) =>
    index % 2 === 0 ? [((byte << 8) | (bytes[index + 1] ?? 0)).toString(16)] : [],
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Half of an IPv6 address: the other half is its client's to choose. */
const NETWORK_BYTES = 8;

/**
 * What is counted as one client: an IPv4 address, or the /64 network of an IPv6 one. IPv6 that only
 * carries an IPv4 address counts as that.
 */
export function networkOf(address: string): string {
  const bytes = parseAddress(address)?.bytes;
  if (bytes === undefined || bytes.length === IPV4_BYTES) {
    return address;
  }
  if (isPrefix(TRANSLATED, bytes)) {
    return textOf(bytes.slice(TRANSLATED.length));
  }
  if (isPrefix(SIX_TO_FOUR, bytes)) {
    return textOf(bytes.slice(SIX_TO_FOUR.length, SIX_TO_FOUR.length + IPV4_BYTES));
  }
  const network = bytes.map((byte, index) => (index < NETWORK_BYTES ? byte : 0));
  return `${textOf(network)}/64`;
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
