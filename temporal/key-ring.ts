import {
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';

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
  /**
   * What shows to those who have an older key only that the current one is of the same installation:
   * while keys are changed, some processes seal with a key that others do not know yet.
   */
  readonly introductions: string;
  isIntroduced(id: string, introductions: string): boolean;
}

const KEY_BYTES = 32;
const ID_LENGTH = 8;

const PAYLOADS = 'agentforge temporal payloads';

/**
 * Derives one key per master key, for one purpose only, so that the same `ENCRYPTION_KEY` never
 * serves two. The id is a hash of the derived key and reveals nothing about the master.
 *
 * @param masters 32 bytes each, newest first; at least one
 */
export function createKeyRing(masters: readonly Buffer[], purpose = PAYLOADS): KeyRing {
  const keys = masters.map((master) => deriveKey(master, purpose));
  const [current, ...older] = keys;
  if (current === undefined) {
    throw new RangeError('a key ring needs at least one key');
  }
  return {
    current,
    ids: keys.map(({ id }) => id),
    find: (id) => keys.find((key) => key.id === id),
    introductions: older.map((key) => introductionOf(current.id, key).toString('hex')).join(' '),
    isIntroduced: (id, introductions) => {
      const claims = introductions.slice(0, MAX_INTRODUCTIONS).split(' ');
      const proofs = keys.map((key) => introductionOf(id, key));
      return claims.some((claim) =>
        proofs.some((proof) => isSame(Buffer.from(claim, 'hex'), proof)),
      );
    },
  };
}

/** Characters: more keys than anybody keeps. */
const MAX_INTRODUCTIONS = 2_000;

/** One more key derived from it, so that the key that seals does nothing else. */
function introductionOf(id: string, { key }: RingKey): Buffer {
  const own = hkdfSync('sha256', key, Buffer.alloc(0), 'agentforge introduces a key', KEY_BYTES);
  return createHmac('sha256', Buffer.from(own)).update(id).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function deriveKey(master: Buffer, purpose: string): RingKey {
  const key = Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), purpose, KEY_BYTES));
  const id = createHash('sha256').update(key).digest('hex').slice(0, ID_LENGTH);
  return { id, key: createSecretKey(key) };
}
