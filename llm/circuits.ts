/**
 * A vendor that keeps failing is left alone for a while, for each key that pays: its circuit opens.
 * When it has rested, one call at a time probes it (half open), and the first answer closes it. All
 * workers share the state in Redis. Without Redis every circuit counts as closed: that costs time,
 * as calls are made in vain, but no money that is not charged as ever.
 * Why so: docs/decisions/0004-circuits-and-places.md.
 */
import { randomUUID } from 'node:crypto';
import { VENDORS, type Vendor } from '../domain/models.js';
import type { Line } from './lines.js';
import { silentMetrics, type CircuitState, type ModelMetrics } from './metrics.js';
import { keepAlive, redisScript, type ScriptDeps } from './redis-script.js';

export interface Circuits {
  /** Asks whether a call may be made now. */
  enter(line: Line): Promise<Entry>;
  /** Circuits that are not closed, in the whole product. @throws while Redis is away */
  count(): Promise<readonly CircuitCount[]>;
}

export interface CircuitCount {
  readonly provider: Vendor;
  readonly open: number;
  /** Rested, and not answered since. */
  readonly halfOpen: number;
}

export type Entry =
  | {
      readonly kind: 'granted';
      /** To be called once, with what the call has shown. */
      leave(outcome: CallOutcome): Promise<void>;
    }
  | { readonly kind: 'resting'; readonly waitMs: number };

export type CallOutcome =
  /** The vendor is there, even if it refused the call. */
  | { readonly kind: 'answered' }
  /** Retryably; `askedMs`: how long the vendor wants to be left alone, 0 if it did not say. */
  | { readonly kind: 'failed'; readonly askedMs: number }
  /** No call was made, or nobody knows what became of it. */
  | { readonly kind: 'nothing' };

export interface CircuitLimits {
  /** Failures in a row that open a circuit. */
  readonly failures: number;
  /** Failures further apart than this are no row. */
  readonly windowMs: number;
  /** The first rest; each further one in a row is twice as long. */
  readonly firstRestMs: number;
  readonly longestRestMs: number;
  /** Longest `Retry-After` that is believed: no run lasts longer. */
  readonly longestAskedMs: number;
  /** What a killed worker was probing can be probed again after this. */
  readonly probeLeaseMs: number;
}

export const CIRCUIT_LIMITS: CircuitLimits = {
  failures: 5,
  windowMs: 60_000,
  firstRestMs: 5_000,
  longestRestMs: 60_000,
  longestAskedMs: 300_000,
  probeLeaseMs: 10_000,
};

export interface CircuitsDeps extends ScriptDeps {
  readonly metrics?: ModelMetrics;
  readonly limits?: Partial<CircuitLimits>;
}

export function createCircuits(deps: CircuitsDeps): Circuits {
  const limits = { ...CIRCUIT_LIMITS, ...deps.limits };
  const ask = redisScript(deps, 'circuits', ENTER);
  const tell = redisScript(deps, 'circuits', LEAVE);
  const move = (line: Line, to: CircuitState): void => {
    (deps.metrics ?? silentMetrics).circuitMoved({ provider: line.provider, to });
    deps.logger[to === 'open' ? 'warn' : 'info'](`circuit ${to}`, { ...line });
  };
  return {
    async enter(line) {
      const token = randomUUID();
      const longestMs = Math.max(limits.longestRestMs, limits.longestAskedMs);
      const seek = (op: 'enter' | 'renew') =>
        ask([keyOf(line)], [op, token, limits.probeLeaseMs, WHILE_PROBED_MS, longestMs]);
      const answer = Number((await seek('enter')) ?? CLOSED);
      if (answer > 0) {
        return { kind: 'resting', waitMs: answer };
      }
      let stopRenewing = (): void => undefined;
      if (answer === PROBE) {
        move(line, 'half-open');
        stopRenewing = keepAlive(() => seek('renew'), limits.probeLeaseMs);
      }
      return {
        kind: 'granted',
        async leave(outcome) {
          stopRenewing();
          const moved = await tell(
            [keyOf(line), INDEX + line.provider],
            [token, line.payer, ...argsOf(outcome, limits)],
          );
          if (moved === 'open' || moved === 'closed') {
            move(line, moved);
          }
        },
      };
    },
    count: () => Promise.all(VENDORS.map((vendor) => countOf(deps, vendor))),
  };
}

function argsOf(outcome: CallOutcome, limits: CircuitLimits): readonly (string | number)[] {
  const { failures, windowMs, firstRestMs, longestRestMs, longestAskedMs } = limits;
  const asked = outcome.kind === 'failed' ? outcome.askedMs : 0;
  const askedMs = Math.ceil(Math.min(asked, longestAskedMs));
  return [outcome.kind, askedMs, failures, windowMs, firstRestMs, longestRestMs, KEPT_MS];
}

async function countOf({ redis }: CircuitsDeps, provider: Vendor): Promise<CircuitCount> {
  const [seconds] = await redis.time();
  const now = Number(seconds) * 1_000;
  const [open, halfOpen] = await Promise.all([
    redis.zcount(INDEX + provider, now, '+inf'),
    redis.zcount(INDEX + provider, now - KEPT_MS, `(${now}`),
  ]);
  return { provider, open, halfOpen };
}

/** Hash of the circuit of one line; none: closed, without failures. */
function keyOf({ provider, payer }: Line): string {
  return `agentforge:circuit:${provider}:${payer}`;
}

/** By vendor: the payers whose circuit is not closed, scored with the end of its rest. */
const INDEX = 'agentforge:circuits:';
/** How long a circuit that nobody probes is remembered after its rest. */
const KEPT_MS = 600_000;
/** Whoever finds a probe under way asks again after this. */
const WHILE_PROBED_MS = 1_000;

const CLOSED = 0;
const PROBE = -1;

/** Milliseconds on Redis' own clock, so that all workers count alike. */
const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local openUntil = tonumber(redis.call('HGET', KEYS[1], 'openUntil'))
`;

/**
 * KEYS: circuit. ARGV: op, token, lease of a probe, wait while probed, longest rest. A wait is above
 * 0. What would rest for longer than any circuit does was not written by us, and is closed.
 */
const ENTER = `${NOW}
local op, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local probe = redis.call('HGET', KEYS[1], 'probe')
local probeUntil = tonumber(redis.call('HGET', KEYS[1], 'probeUntil'))
if not openUntil then return ${CLOSED} end
if not (openUntil - now <= tonumber(ARGV[5])) then
  redis.call('DEL', KEYS[1])
  return ${CLOSED}
end
if op == 'renew' then
  if probe == token then redis.call('HSET', KEYS[1], 'probeUntil', now + lease) end
  return ${CLOSED}
end
if now < openUntil then return openUntil - now end
if probe and probeUntil and now < probeUntil and probeUntil <= now + lease then
  return math.min(probeUntil - now, tonumber(ARGV[4]))
end
redis.call('HSET', KEYS[1], 'probe', token, 'probeUntil', now + lease)
return ${PROBE}
`;

/**
 * KEYS: circuit, index of its vendor. ARGV: token, payer, outcome, ms asked for, then the limits.
 * Answers how the circuit has moved. Of an open circuit only its own probe tells anything: other
 * calls were begun before it opened. Only what the vendor asks for is listened to at any time.
 */
const LEAVE = `${NOW}
local token, payer, outcome, asked = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local enough, window = tonumber(ARGV[5]), tonumber(ARGV[6])
local first, longest, kept = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local isProbe = redis.call('HGET', KEYS[1], 'probe') == token

local function rest(untilMs)
  redis.call('HSET', KEYS[1], 'openUntil', untilMs)
  redis.call('HDEL', KEYS[1], 'probe', 'probeUntil', 'failures')
  redis.call('PEXPIRE', KEYS[1], untilMs - now + kept)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - kept)
  redis.call('ZADD', KEYS[2], untilMs, payer)
  redis.call('PEXPIRE', KEYS[2], 2 * kept)
end

if outcome == 'answered' then
  if openUntil and not isProbe then return '' end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], payer)
  return openUntil and 'closed' or ''
end
if outcome == 'nothing' then
  if isProbe then redis.call('HDEL', KEYS[1], 'probe', 'probeUntil') end
  return ''
end
if openUntil and not isProbe then
  if now + asked > openUntil then rest(now + asked) end
  return ''
end
if not openUntil and asked == 0 then
  local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
  redis.call('PEXPIRE', KEYS[1], window)
  if failures < enough then return '' end
end
if asked == 0 then
  local rests = redis.call('HINCRBY', KEYS[1], 'rests', 1)
  asked = math.min(longest, first * 2 ^ (rests - 1))
end
rest(now + asked)
return 'open'
`;
