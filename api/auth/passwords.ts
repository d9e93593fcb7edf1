import bcrypt from 'bcrypt';
import { DomainError } from '../../domain/errors.js';

/** Of libuv's four threads: the others are for what must not wait behind sign-ins, as tokens. */
const AT_ONCE = 2;
/** What waits longer than this would be answered too late to be of use. */
const MAX_WAIT_MS = 3_000;
/** How long a hash of cost 12 takes on a slow machine, until it has been measured. */
const FIRST_GUESS_MS = 250;
const FIRST_GUESS_COST = 12;
/** Of the newest in the mean of how long hashes take. */
const NEWEST_PART = 0.2;
const RETRY_AFTER_SECONDS = 3;
/** In bcrypt's own base 64. */
const SALT_AND_HASH_LENGTH = 22 + 31;
/** bcrypt ignores what follows. */
export const MAX_PASSWORD_BYTES = 72;

/** All of it: @throws `unavailable` at once where more is asked for than can be done in time. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes the same time whether or not there is a hash to compare with. */
  matches(password: string, hash: string | undefined): Promise<boolean>;
  /** Whether it is of another cost: then it is made anew when its password is at hand. */
  isOutdated(hash: string): boolean;
}

/**
 * @param cost bcrypt's, 4 to 31. Hashes of another cost stay good; how long they take tells an account
 *   that has not signed in since then from an address without an account.
 */
export function createPasswords(cost: number): Passwords {
  const inTurn = createTurns(AT_ONCE, FIRST_GUESS_MS * 2 ** (cost - FIRST_GUESS_COST));
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

/** Lets so much work go on at the same time; the rest waits in line, if its turn comes in time. */
function createTurns(limit: number, guessMs: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  let meanMs = guessMs;
  return async (work) => {
    if (running === limit) {
      if (((waiting.length + 1) / limit) * meanMs > MAX_WAIT_MS) {
        throw new DomainError('unavailable', 'Too many sign-ins at once, please try again', {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      meanMs += (performance.now() - startedAt - meanMs) * NEWEST_PART;
      const next = waiting.shift(); // takes over the place of this one
      if (next === undefined) {
        running -= 1;
      } else {
        next();
      }
    }
  };
}
