/** IP addresses and networks as numbers, in every spelling. */

export interface IpAddress {
  /** 4 or 16, most significant first. */
  readonly bytes: readonly number[];
}

export interface Network extends IpAddress {
  /** How many leading bits all its addresses share. */
  readonly bits: number;
}

/**
 * Reads an address as URL parsers and resolvers write it: dotted decimals, IPv6 with or without
 * brackets and zone.
 */
export function parseAddress(text: string): IpAddress | null {
  const plain = text.replace(/^\[(.*)\]$/, '$1').replace(/^([^%]*)%.*$/, '$1');
  return plain.includes(':') ? parseV6(plain) : parseV4(plain);
}

/** `10.0.0.0/8`; an address alone is the network of itself. */
export function parseNetwork(text: string): Network | null {
  const [, base = '', length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === null) {
    return null;
  }
  const size = address.bytes.length * 8;
  const bits = length === undefined ? size : Number(length);
  return bits > size ? null : { bytes: address.bytes, bits };
}

export function isInNetwork(address: IpAddress, network: Network): boolean {
  return (
    address.bytes.length === network.bytes.length &&
    address.bytes.every((byte, at) => {
      const compared = Math.min(8, Math.max(0, network.bits - at * 8));
      const mask = (0xff << (8 - compared)) & 0xff;
      return (byte & mask) === ((network.bytes[at] ?? 0) & mask);
    })
  );
}

function parseV4(text: string): IpAddress | null {
  const bytes = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text.split('.').map(Number) : [];
  return bytes.length === 4 && bytes.every((byte) => byte <= 255) ? { bytes } : null;
}

const GROUPS = 8;

/** The URL parser knows all spellings, and writes the shortest, IPv4 parts included. */
function parseV6(text: string): IpAddress | null {
  const url = `http://[${text}]/`;
  if (!/^[\da-f:.]+$/i.test(text) || !URL.canParse(url)) {
    return null;
  }
  const [head = '', tail = ''] = new URL(url).hostname.slice(1, -1).split('::');
  const before = groupsIn(head);
  const after = groupsIn(tail);
  const zeros = Array.from({ length: GROUPS - before.length - after.length }, () => 0);
  const bytes = [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
  return { bytes };
}

function groupsIn(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
