/**
 * How many calls one key may have in flight, over all workers. Who finds no place waits in line, for
 * a while: vendors answer too many calls at once with errors that cost everybody's tries.
 * While Redis is away each process counts for itself.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '../domain/errors.js';
import type { Line } from './lines.js';
import { silentMetrics, type ModelMetrics } from './metrics.js';
import { keepAlive, redisScript, type ScriptDeps } from './redis-script.js';

export interface Places {
  /**
   * Waits for a place among the key's calls.
   *
   * @returns null if none became free in time
   * @throws `cancelled` when `signal` aborts
   */
  take(line: Line, signal: AbortSignal): Promise<Place | null>;
}

export interface Place {
  /** Whether others had to end first. */
  readonly hasWaited: boolean;
  leave(): Promise<void>;
}

export interface PlacesDeps extends ScriptDeps {
  readonly callsPerKey: number;
  readonly metrics?: ModelMetrics;
  /** How long one call waits at most, in milliseconds. */
  readonly patienceMs?: number;
  /** A place that nobody renews is free after this, in milliseconds. */
  readonly leaseMs?: number;
}

/** Then the attempt ends and its slot in the worker is free for somebody else's call. */
export const PLACE_PATIENCE_MS = 10_000;
/** As long as Temporal takes to notice a lost worker. */
const LEASE_MS = 10_000;
/** How soon a place that another worker's call has left is noticed; own ones are at once. */
const POLL_MS = 250;

export function createPlaces(deps: PlacesDeps): Places {
  const { callsPerKey, patienceMs = PLACE_PATIENCE_MS, leaseMs = LEASE_MS } = deps;
  const run = redisScript(deps, 'calls in flight', SCRIPT);
  const local = createLocalCount();

  function ask(op: 'join' | 'leave', line: Line, member: string) {
    return run(keysOf(line), [op, member, callsPerKey, leaseMs]);
  }

  /** Counted and added to without a wait between. */
  async function hasPlace(line: Line, member: string): Promise<boolean> {
    const answer = await ask('join', line, member);
    const isFree = answer === null ? local.countOf(line) < callsPerKey : answer === 1;
    if (isFree) {
      local.add(line, member);
    }
    return isFree;
  }

  async function leave(line: Line, member: string): Promise<void> {
    local.remove(line, member);
    await ask('leave', line, member);
  }

  async function waitInLine(line: Line, member: string, signal: AbortSignal): Promise<boolean> {
    const startedAt = performance.now();
    const waitedMs = () => performance.now() - startedAt;
    const waiter = local.wait(line, signal);
    let isMine = false;
    while (!isMine && !signal.aborted && waitedMs() < patienceMs) {
      await waiter.next();
      isMine = await hasPlace(line, member);
    }
    waiter.end();
    const { provider } = line;
    (deps.metrics ?? silentMetrics).waited({ provider, seconds: waitedMs() / 1_000 });
    return isMine;
  }

  return {
    async take(line, signal) {
      const member = randomUUID();
      const isFree = await hasPlace(line, member);
      const isMine = isFree || (await waitInLine(line, member, signal));
      if (signal.aborted || !isMine) {
        await leave(line, member);
        if (signal.aborted) {
          throw new DomainError('cancelled', 'the model call was cancelled');
        }
        return null;
      }
      const stopRenewing = keepAlive(() => ask('join', line, member), leaseMs);
      return {
        hasWaited: !isFree,
        async leave() {
          stopRenewing();
          await leave(line, member);
        },
      };
    },
  };
}

/** The calls of this process: what counts while Redis is away, and who is to be woken. */
function createLocalCount() {
  const held = new Map<string, Set<string>>();
  /** In the order of coming, as in Redis. */
  const waiting = new Map<string, Set<{ wake(): void }>>();
  const nameOf = ({ provider, payer }: Line) => `${provider}:${payer}`;
  return {
    countOf: (line: Line) => held.get(nameOf(line))?.size ?? 0,
    add(line: Line, member: string): void {
      addTo(held, nameOf(line), member);
    },
    remove(line: Line, member: string): void {
      removeFrom(held, nameOf(line), member);
      const [first] = waiting.get(nameOf(line)) ?? [];
      first?.wake();
    },
    wait(line: Line, signal: AbortSignal) {
      let woken = new AbortController();
      const waiter = {
        wake: () => {
          woken.abort();
        },
      };
      addTo(waiting, nameOf(line), waiter);
      return {
        /** Resolves when a call of this process has left, when Redis is to be asked, or on abort. */
        async next(): Promise<void> {
          const either = AbortSignal.any([signal, woken.signal]);
          await pause(POLL_MS, undefined, { signal: either }).catch(() => undefined);
          woken = new AbortController();
        },
        end(): void {
          removeFrom(waiting, nameOf(line), waiter);
        },
      };
    },
  };
}

function addTo<T>(sets: Map<string, Set<T>>, name: string, value: T): void {
  sets.set(name, (sets.get(name) ?? new Set<T>()).add(value));
}

function removeFrom<T>(sets: Map<string, Set<T>>, name: string, value: T): void {
  const set = sets.get(name);
  set?.delete(value);
  if (set?.size === 0) {
    sets.delete(name);
  }
}

/** Everybody in line in the order of coming, and the ends of their leases. */
function keysOf({ provider, payer }: Line): readonly [string, string] {
  const name = `${provider}:${payer}`;
  return [`agentforge:calls:${name}`, `agentforge:calls-leases:${name}`];
}

/**
 * KEYS: line, leases. ARGV: op, member, limit, lease in ms. Whoever is among the first `limit` in
 * line has a place; to join again renews the lease. Numbers, not times, give the order: two who
 * come in one millisecond must not change theirs. What is no lease of ours (one that lasts longer
 * than any, or a place in line without one) is taken away.
 */
const SCRIPT = `
local op, member, limit, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for _, range in ipairs({{'-inf', now}, {now + 2 * lease, '+inf'}}) do
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], range[1], range[2])) do
    redis.call('ZREM', KEYS[1], gone)
    redis.call('ZREM', KEYS[2], gone)
  end
end
if redis.call('ZCARD', KEYS[1]) > redis.call('ZCARD', KEYS[2]) then
  for _, waiting in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if not redis.call('ZSCORE', KEYS[2], waiting) then redis.call('ZREM', KEYS[1], waiting) end
  end
end
if op == 'leave' then
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
  return 0
end
if not redis.call('ZSCORE', KEYS[1], member) then
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  redis.call('ZADD', KEYS[1], (tonumber(last[2]) or 0) + 1, member)
end
redis.call('ZADD', KEYS[2], now + lease, member)
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('PEXPIRE', KEYS[2], lease)
return redis.call('ZRANK', KEYS[1], member) < limit and 1 or 0
`;
