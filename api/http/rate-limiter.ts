import type { Redis } from 'ioredis';
import { rateKeyOf } from '../../events/user-keys.js';
import type { Logger } from '../../telemetry/logger.js';

/** A token bucket: full at first, refilled evenly over its window. */
export interface Bucket {
  /** Who is limited, for example `auth:203.0.113.50`. */
  readonly key: string;
  readonly capacity: number;
  /** Seconds from empty to full. */
  readonly windowSeconds: number;
}

export type Taken = { kind: 'allowed' } | { kind: 'refused'; retryAfterSeconds: number };

export interface RateLimiter {
  /** Takes `weight` tokens, or none if there are fewer; a negative weight gives tokens back. */
  take(bucket: Bucket, weight: number): Promise<Taken>;
}

/**
 * One atomic step. The clock is Redis's own, so that every API process counts alike. What the
 * bucket holds counts as something between empty and full, now or earlier: no stored value keeps
 * somebody out for longer than a window. (`math.min` and `math.max` answer their first argument
 * where the second one is no number.)
 * Returns 0 when taken, else the milliseconds until `weight` tokens are there.
 */
const TAKE = `
local capacity = tonumber(ARGV[1])
local windowMs = tonumber(ARGV[2])
local weight = tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.max(0, math.min(capacity, tonumber(state[1]) or capacity))
local at = math.min(now, tonumber(state[2]) or now)
tokens = math.min(capacity, tokens + math.max(0, now - at) * capacity / windowMs)
if tokens + 0.000001 < weight then
  return math.max(1, math.ceil((weight - tokens) * windowMs / capacity))
end
redis.call('HSET', KEYS[1], 'tokens', tostring(math.min(capacity, tokens - weight)), 'at', now)
redis.call('PEXPIRE', KEYS[1], windowMs)
return 0
`;

/** Counts in Redis; while Redis is away, in this process alone. */
export function createRateLimiter({
  redis,
  logger,
}: {
  redis: Redis;
  logger: Logger;
}): RateLimiter {
  const local = createLocalLimiter();
  return {
    async take(bucket, weight) {
      if (bucket.capacity <= 0) {
        return { kind: 'refused', retryAfterSeconds: bucket.windowSeconds };
      }
      if (redis.status !== 'ready') {
        return local.take(bucket, weight);
      }
      try {
        const { key, capacity, windowSeconds } = bucket;
        const args = [capacity, windowSeconds * 1_000, weight];
        return takenOf(Number(await redis.eval(TAKE, 1, rateKeyOf(key), ...args)));
      } catch (error) {
        logger.warn('rate limit counted in this process alone', { error });
        return local.take(bucket, weight);
      }
    },
  };
}

function takenOf(waitMs: number): Taken {
  return waitMs === 0
    ? { kind: 'allowed' }
    : { kind: 'refused', retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
}

const MAX_LOCAL_BUCKETS = 10_000;

function createLocalLimiter(clock: () => number = () => Date.now()): {
  take(bucket: Bucket, weight: number): Taken;
} {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take({ key, capacity, windowSeconds }, weight) {
      const now = clock();
      const perMs = capacity / (windowSeconds * 1_000);
      const state = buckets.get(key) ?? { tokens: capacity, at: now };
      const tokens = Math.min(capacity, state.tokens + Math.max(0, now - state.at) * perMs);
      if (tokens + 0.000_001 < weight) {
        return takenOf(Math.max(1, Math.ceil((weight - tokens) / perMs)));
      }
      buckets.delete(key); // moves it to the end, so that the first one is the least recently used
      buckets.set(key, { tokens: Math.min(capacity, tokens - weight), at: now });
      const [oldest] = buckets.keys();
      if (buckets.size > MAX_LOCAL_BUCKETS && oldest !== undefined) {
        buckets.delete(oldest);
      }
      return { kind: 'allowed' };
    },
  };
}
