/** Hosts that only somebody inside our own network could want to have read. */
import { isInNetwork, parseAddress, parseNetwork, type IpAddress } from './ip-addresses.js';

/**
 * Whether a web address plainly leads into a private network: by its own spelling, without asking the
 * spelling. Names that resolve to private addresses are the data collector's to refuse.
 */
export function isPrivateUrl(url: string): boolean {
  return URL.canParse(url) && isPrivateHost(new URL(url).hostname); // no client can read it otherwise
}

const PRIVATE_NAMES = /(?:^|\.)(?:localhost|local|internal|lan|home|corp|intranet|home\.arpa)$/;

/** @param hostname as the URL parser writes it: of all spellings it has made plain numbers */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  const address = parseAddress(host);
  if (address !== null) {
    return isPrivate(address);
  }
  return !host.includes('.') || PRIVATE_NAMES.test(host);
}

/** Whether a resolved address is not for everybody; what is no address counts as private. */
export function isPrivateAddress(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed === null || isPrivate(parsed);
}

/**
 * Loopback, link-local, private, documentation, benchmarks, relays; 224.0.0.0/3 is multicast,
 * reserved and broadcast. Sources: RFC 6890 and the IANA registry that it has begun.
 */
const PRIVATE_V4 = networks(
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
);

/** Of IPv6 only global unicast is for everybody. */
const PUBLIC_V6 = networks('2000::/3');
/** Of that: protocol assignments with Teredo, documentation (twice), 6to4. */
const PRIVATE_V6 = networks('2001::/23', '2001:db8::/32', '3fff::/20', '2002::/16');
/** IPv4 as networks without IPv4 write it; it is as private as the address inside. */
const NAT64 = networks('64:ff9b::/96');

function networks(...texts: readonly string[]) {
  return texts.flatMap((text) => parseNetwork(text) ?? []);
}

function isPrivate(address: IpAddress): boolean {
  const isIn = (list: typeof PRIVATE_V4) => list.some((network) => isInNetwork(address, network));
  if (isIn(NAT64)) {
    return isPrivate({ bytes: address.bytes.slice(-4) });
  }
  return address.bytes.length === 4 ? isIn(PRIVATE_V4) : !isIn(PUBLIC_V6) || isIn(PRIVATE_V6);
}
