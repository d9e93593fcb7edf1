/**
 * Redis is outside of our processes: who reaches it can put anything there. What is read from
 * it and shown, or acted on, carries a MAC that only holders of `ENCRYPTION_KEY` can make.
 */
import {
  createHmac,
  createSecretKey,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { DomainError } from '../domain/errors.js';

export interface Macs {
  /** @param place where the text is put, e.g. its channel: nowhere else is it believed */
  sign(place: string, text: string): string;
  /** @returns the text; null for what none of the keys has signed for this place */
  verify(place: string, signed: string): string | null;
}

/** Source: RFC 2104 §5, at least half of the hash. */
const MAC_BYTES = 16;
/** In base64url, in front of the text. */
const MAC_LENGTH = 22;
/** Nothing of ours is longer; a longer text is not worth its hash. */
const MAX_SIGNED_LENGTH = 4_194_304;

/** @param keys 32 bytes each, newest first: the first one signs, all of them verify. */
export function createMacs(keys: readonly Buffer[]): Macs {
  const ring = keys.map(macKeyOf);
  const [newest] = ring;
  if (newest === undefined) {
    throw new DomainError('internal', 'messages need at least one key');
  }
  return {
    sign: (place, text) => macOf(newest, place, text).toString('base64url') + text,
    verify(place, signed) {
      if (signed.length < MAC_LENGTH || signed.length > MAX_SIGNED_LENGTH) {
        return null;
      }
      const mac = Buffer.from(signed.slice(0, MAC_LENGTH), 'base64url');
      const text = signed.slice(MAC_LENGTH);
      const isOurs = ring.some(
        (key) => mac.length === MAC_BYTES && timingSafeEqual(mac, macOf(key, place, text)),
      );
      return isOurs ? text : null;
    },
  };
}

/** A key object: Node takes much longer to make a MAC from raw bytes. */
function macKeyOf(key: Buffer): KeyObject {
  const derived = hkdfSync('sha256', key, '', 'agentforge live messages', 32);
  return createSecretKey(new Uint8Array(derived));
}

/** No place holds a NUL, so no two pairs of place and text are one. */
function macOf(key: KeyObject, place: string, text: string): Buffer {
  return createHmac('sha256', key).update(`${place}\0${text}`).digest().subarray(0, MAC_BYTES);
}
