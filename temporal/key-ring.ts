import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** A derived key with the id that sealed payloads name. */
export interface RingKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** The keys that may seal or open payloads: the first one seals, all of them open. */
export interface KeyRing {
  readonly current: RingKey;
  /** Of all its keys, in their order. */
  readonly ids: readonly string[];
  find(id: string): RingKey | undefined;
}

const KEY_BYTES = 32;
const ID_LENGTH = 8;

const PAYLOADS = 'agentforge temporal payloads';

/**
 * Derives one key per master key, for one purpose only, so that the same `ENCRYPTION_KEY` never
 * serves two. The id is a hash of the derived key and tells nothing about the master.
 *
 * @param masters 32 bytes each, newest first; at least one
 */
export function createKeyRing(masters: readonly Buffer[], purpose = PAYLOADS): KeyRing {
  const keys = masters.map((master) => deriveKey(master, purpose));
  const [current] = keys;
  if (current === undefined) {
    throw new RangeError('a key ring needs at least one key');
  }
  return {
    current,
    ids: keys.map(({ id }) => id),
    find: (id) => keys.find((key) => key.id === id),
  };
}

function deriveKey(master: Buffer, purpose: string): RingKey {
  const key = Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), purpose, KEY_BYTES));
  const id = createHash('sha256').update(key).digest('hex').slice(0, ID_LENGTH);
  return { id, key: createSecretKey(key) };
}
