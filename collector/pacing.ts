/** One request per domain and interval, of all collectors together. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { askRedis } from './redis.js';

export interface Pacing {
  /**
   * Takes the domain's next free moment and waits for it.
   *
   * @param turn `intervalMs` has to pass before the next request after this one.
   * @throws DomainBusy where the wait would be too long; `unavailable`; when `signal` aborts
   */
  takeTurn(turn: { domain: string; intervalMs: number }, signal: AbortSignal): Promise<void>;
}

/** So many wait for this domain that another one is better asked to come back. */
export class DomainBusy extends Error {
  override readonly name = 'DomainBusy';
  readonly retryAfterSeconds: number;

  constructor(domain: string, waitMs: number) {
    super(`others are reading ${domain}`);
    this.retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1_000));
  }
}

export interface PacingDeps {
  readonly redis: Redis;
  /** Longest wait for a turn; default: 20 s. */
  readonly maxWaitMs?: number;
}

/** With the longest crawl, 30 s, less than a client waits, 60 s. */
const MAX_WAIT_MS = 20_000;

/**
 * Reserves the next free moment of a domain in one atomic step, by Redis's own clock.
 * Returns the milliseconds until then; negative, where it is too far away and nothing was reserved.
 */
const TAKE = `
local interval = tonumber(ARGV[1])
local longest = tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local free = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait = free - now
if wait > longest then
  return -wait
end
if wait + interval > 0 then
  redis.call('SET', KEYS[1], free + interval, 'PX', wait + interval)
end
return wait
`;

export function createPacing({ redis, maxWaitMs = MAX_WAIT_MS }: PacingDeps): Pacing {
  return {
    async takeTurn({ domain, intervalMs }, signal) {
      const key = `collector:turn:${domain}`;
      const waitMs = Number(await askRedis(redis.eval(TAKE, 1, key, intervalMs, maxWaitMs)));
      if (waitMs < 0) {
        throw new DomainBusy(domain, -waitMs);
      }
      if (waitMs > 0) {
        await wait(waitMs, undefined, { signal });
      }
      signal.throwIfAborted();
    },
  };
}
