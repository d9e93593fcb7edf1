import { randomBytes } from 'node:crypto';
import bcrypt from 'bcrypt';

/** Source: contract, security §2. */
const DEFAULT_COST = 12;
/** Of libuv's four threads: the others are for what must not wait behind sign-ins, as tokens. */
const AT_ONCE = 2;
/** bcrypt ignores what follows. */
export const MAX_PASSWORD_BYTES = 72;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes the same time whether or not there is a hash to compare with. */
  matches(password: string, hash: string | undefined): Promise<boolean>;
}

export function createPasswords(cost = DEFAULT_COST): Passwords {
  const inTurn = createTurns(AT_ONCE);
  const dummyHash = bcrypt.hash(randomBytes(16).toString('hex'), cost);
  return {
    hash: (password) => inTurn(() => bcrypt.hash(password, cost)),
    async matches(password, hash) {
      const known = hash ?? (await dummyHash);
      const isSame = await inTurn(() => bcrypt.compare(password, known));
      // a longer password would match the one that its first 72 bytes spell
      return isSame && hash !== undefined && Buffer.byteLength(password) <= MAX_PASSWORD_BYTES;
    },
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
