/**
 * Collections in Redis: a restart loses none, and every replica knows all. They are kept for a day;
 * beyond a number the oldest ones go first, so that Redis never fills up.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { DomainError } from '../domain/errors.js';
import { Collection } from './collection.js';
import { askRedis } from './redis.js';

export interface Store {
  /** @param caller whose own oldest ones go first where they have too many */
  add(collection: Collection, caller: string): Promise<void>;
  /** null: unknown, or too old */
  find(id: string): Promise<Found | null>;
  /** Empty unless the collection is completed. */
  readText(id: string): Promise<string>;
  /** Stores the new state, and the text once there is one. */
  save(collection: Collection, text?: string): Promise<void>;
  /**
   * Lets one at a time work on a collection; the lock of a holder that dies expires after a minute.
   *
   * @returns null while somebody else has it
   */
  hold(id: string): Promise<Hold | null>;
  /** robots.txt of an origin as it was found a short time ago. */
  recallRobots(origin: string): Promise<string | null>;
  rememberRobots(origin: string, found: string, ttlMs: number): Promise<void>;
}

export interface Found {
  readonly collection: Collection;
  /** Whether somebody works on it; as of the same moment as its state. */
  readonly isHeld: boolean;
}

export interface Hold {
  release(): Promise<void>;
}

export interface StoreDeps {
  readonly redis: Redis;
  readonly now: () => Date;
  readonly keepMs?: number;
  readonly maxCollections?: number;
  readonly maxPerCaller?: number;
}

const KEEP_MS = 24 * 60 * 60 * 1_000;
/** With texts of at most 100,000 characters (reading.ts) well below 1 GiB. */
const MAX_COLLECTIONS = 2_000;
/** So that no caller pushes out what others have collected. */
const MAX_PER_CALLER = 1_000;
/** Longer than any collection takes: 20 s for its turn and 30 s for its crawl. */
const HOLD_MS = 60_000;
const BY_AGE = 'collector:collections';
/** Only the holder's own hold is released. */
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
`;

export function createStore(deps: StoreDeps): Store {
  const { redis, now, keepMs = KEEP_MS } = deps;
  const { maxCollections = MAX_COLLECTIONS, maxPerCaller = MAX_PER_CALLER } = deps;
  const write = async (collection: Collection, text?: string): Promise<void> => {
    const key = keyOf(collection.id);
    const fields = { state: JSON.stringify(collection), ...(text === undefined ? {} : { text }) };
    await transact(redis.multi().hset(key, fields).pexpire(key, keepMs));
  };
  return {
    async add(collection, caller) {
      const { id } = collection;
      const ofCaller = callerKeyOf(caller);
      await write(collection);
      const at = now().getTime();
      await transact(
        redis.multi().zadd(BY_AGE, at, id).zadd(ofCaller, at, id).pexpire(ofCaller, keepMs),
      );
      await forgetOldest(redis, ofCaller, maxPerCaller);
      await forgetOldest(redis, BY_AGE, maxCollections);
    },
    async find(id) {
      const reading = redis.multi().hget(keyOf(id), 'state').exists(holdKeyOf(id));
      const [state, held] = await transact(reading);
      const collection = typeof state === 'string' ? parseState(state) : null;
      return collection === null ? null : { collection, isHeld: held === 1 };
    },
    async readText(id) {
      return (await askRedis(redis.hget(keyOf(id), 'text'))) ?? '';
    },
    save: write,
    async hold(id) {
      const key = holdKeyOf(id);
      const holder = randomUUID();
      const taken = await askRedis(redis.set(key, holder, 'PX', HOLD_MS, 'NX'));
      return taken === null
        ? null
        : {
            release: async () => {
              await askRedis(redis.eval(RELEASE, 1, key, holder));
            },
          };
    },
    async recallRobots(origin) {
      return askRedis(redis.get(robotsKeyOf(origin)));
    },
    async rememberRobots(origin, found, ttlMs) {
      await askRedis(redis.set(robotsKeyOf(origin), found, 'PX', ttlMs));
    },
  };
}

/** What a transaction could not do, it says with its results. */
async function transact(transaction: ReturnType<Redis['multi']>): Promise<readonly unknown[]> {
  const results = (await askRedis(transaction.exec())) ?? [];
  const failure = results.find(([error]) => error !== null);
  if (results.length === 0 || failure !== undefined) {
    const cause = failure?.[0];
    throw new DomainError('unavailable', 'the store of collections is away', { cause });
  }
  return results.map(([, result]) => result);
}

/** @param list of all collections, or of a caller's */
async function forgetOldest(redis: Redis, list: string, most: number): Promise<void> {
  const excess = (await askRedis(redis.zcard(list))) - most;
  if (excess > 0) {
    const popped = await askRedis(redis.zpopmin(list, excess));
    const ids = popped.filter((_, at) => at % 2 === 0); // each is followed by its age
    await transact(
      redis
        .multi()
        .unlink(...ids.map(keyOf))
        .zrem(BY_AGE, ...ids),
    );
  }
}

function parseState(state: string): Collection | null {
  const parsed = Collection.safeParse(JSON.parse(state));
  return parsed.success ? parsed.data : null; // of an older release
}

function keyOf(id: string): string {
  return `collector:collection:${id}`;
}

function callerKeyOf(caller: string): string {
  return `collector:caller:${caller}`;
}

function holdKeyOf(id: string): string {
  return `collector:hold:${id}`;
}

function robotsKeyOf(origin: string): string {
  return `collector:robots:${origin}`;
}
