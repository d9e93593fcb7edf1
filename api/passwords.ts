import bcrypt from 'bcrypt';

/** Of libuv's four threads: the others are for what must not wait behind sign-ins, as tokens. */
const AT_ONCE = 2;
/** In bcrypt's own base 64. */
const SALT_AND_HASH_LENGTH = 22 + 31;
/** bcrypt ignores what follows. */
export const MAX_PASSWORD_BYTES = 72;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes the same time whether or not there is a hash to compare with. */
  matches(password: string, hash: string | undefined): Promise<boolean>;
  /** Whether it is of another cost: then it is made anew when its password is at hand. */
  isOutdated(hash: string): boolean;
}

/**
 * @param cost bcrypt's, 4 to 31. Hashes of another cost stay good; how long they take tells an account
 *   that has not signed in since then from an address that nobody has.
 */
export function createPasswords(cost: number): Passwords {
  const inTurn = createTurns(AT_ONCE);
  const nobodysHash = `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(SALT_AND_HASH_LENGTH)}`;
  return {
    hash: (password) => inTurn(() => bcrypt.hash(password, cost)),
    async matches(password, hash) {
      const isSame = await inTurn(() => bcrypt.compare(password, hash ?? nobodysHash));
      // a longer password would match the one that its first 72 bytes spell
      return isSame && hash !== undefined && Buffer.byteLength(password) <= MAX_PASSWORD_BYTES;
    },
    isOutdated: (hash) => bcrypt.getRounds(hash) !== cost,
  };
}

/** Lets so much work go on at the same time; the rest waits in line. */
function createTurns(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running === limit) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift(); // takes over the place of this one
      if (next === undefined) {
        running -= 1;
      } else {
        next();
      }
    }
  };
}
