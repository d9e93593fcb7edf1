/** Private hosts that an operator allows the collector to read. */
import { isInNetwork, parseAddress, parseNetwork, type Network } from './ip-addresses.js';

export interface AllowedAddress {
  /** A name means the name itself and all addresses that it resolves to. */
  readonly host: Network | string;
  /** null: every port */
  readonly port: number | null;
}

export interface Destination {
  /** A name or an address, as the URL parser or a resolver writes it. */
  readonly host: string;
  readonly port: number;
}

const NAME = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;
const MAX_PORT = 65_535;

/** Addresses, networks and names, each with or without a port: `10.1.0.0/16`, `[fd00::1]:8080`. */
export function parseAllowedAddresses(
  text: string,
): readonly AllowedAddress[] | { readonly problem: string } {
  const entries = text.split(',').map((entry) => entry.trim().toLowerCase());
  const named = entries.filter((entry) => entry !== '');
  const parsed = named.map((entry) => ({ entry, allowed: parseEntry(entry) }));
  const bad = parsed.find(({ allowed }) => allowed === null);
  return bad === undefined
    ? parsed.flatMap(({ allowed }) => allowed ?? [])
    : { problem: `"${bad.entry}" is no address, network or name` };
}

export function isAllowed(list: readonly AllowedAddress[], { host, port }: Destination): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const address = parseAddress(name);
  return list.some((allowed) => {
    const isHost =
      typeof allowed.host === 'string'
        ? allowed.host === name
        : address !== null && isInNetwork(address, allowed.host);
    return isHost && (allowed.port === null || allowed.port === port);
  });
}

/** Where a URL leads; a name without the root's dot, an address without brackets. */
export function destinationOf({ hostname, port, protocol }: URL): Destination {
  const usualPort = protocol === 'https:' ? 443 : 80;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, ''),
    port: port === '' ? usualPort : Number(port),
  };
}

function parseEntry(entry: string): AllowedAddress | null {
  const whole = parseNetwork(entry); // an IPv6 address has colons of its own
  if (whole !== null) {
    return { host: whole, port: null };
  }
  const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const network = parseNetwork(host);
  const isHost = network !== null || NAME.test(host);
  return isHost && isPort(port)
    ? { host: network ?? host, port: port === undefined ? null : Number(port) }
    : null;
}

function isPort(text: string | undefined): boolean {
  return text === undefined || (Number(text) >= 1 && Number(text) <= MAX_PORT);
}
