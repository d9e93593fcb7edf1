/**
 * What all workers share about a rate-limit key, as two atomic steps on Redis' own clock. Keys and fields
 * are those of earlier releases, whose workers run beside ours during an upgrade: `probe` is the
 * half-open trial, `rests` counts the cooldowns in a row.
 *
 * - `agentforge:circuit:<key>` hash: `openUntil`, `failures`, `rests`, `probe`, `probeUntil`
 * - `agentforge:circuits:<provider>` sorted set: circuits that are not closed, by the end of their cooldown
 * - `agentforge:calls:<key>` sorted set: tokens in the order in which they came; the first ones hold a permit
 * - `agentforge:calls-leases:<key>` sorted set: the ends of their leases
 */

/** Answers of `ACQUIRE`; above 0: milliseconds until the provider may be called. */
export const ACQUIRED = 0;
export const ACQUIRED_FOR_TRIAL = -1;
export const QUEUED = -2;

/** How long a circuit without a trial is remembered after its cooldown. */
export const REMEMBERED_MS = 600_000;

const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local openUntil = tonumber(redis.call('HGET', KEYS[1], 'openUntil'))
`;

/**
 * KEYS: circuit, calls, leases. ARGV: op (`acquire` or `renew`), token, limit, lease ms, longest wait for
 * another call's trial, longest cooldown.
 *
 * Repeating `acquire` with the same token polls its permit. The token of a refused call leaves the queue.
 * What no release of ours can have written is removed: a cooldown longer than any, a lease that lasts
 * longer than any, a token without a lease. Numbers, not times, give the order of tokens: two that come in
 * one millisecond must not change theirs.
 */
export const ACQUIRE = `${NOW}
local op, token, limit, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
for _, range in ipairs({{'-inf', now}, {now + 2 * lease, '+inf'}}) do
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], range[1], range[2])) do
    redis.call('ZREM', KEYS[2], gone)
    redis.call('ZREM', KEYS[3], gone)
  end
end
if redis.call('ZCARD', KEYS[2]) > redis.call('ZCARD', KEYS[3]) then
  for _, each in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if not redis.call('ZSCORE', KEYS[3], each) then redis.call('ZREM', KEYS[2], each) end
  end
end
if openUntil and not (openUntil - now <= tonumber(ARGV[6])) then
  redis.call('DEL', KEYS[1])
  openUntil = nil
end

local trial = openUntil and redis.call('HGET', KEYS[1], 'probe')
if op == 'acquire' and openUntil then
  local wait = openUntil - now
  local trialUntil = tonumber(redis.call('HGET', KEYS[1], 'probeUntil'))
  if wait <= 0 and trial and trialUntil and now < trialUntil and trialUntil <= now + lease then
    wait = math.min(trialUntil - now, tonumber(ARGV[5]))
  end
  if wait > 0 then
    redis.call('ZREM', KEYS[2], token)
    redis.call('ZREM', KEYS[3], token)
    return wait
  end
end

if not redis.call('ZSCORE', KEYS[2], token) then
  local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  redis.call('ZADD', KEYS[2], (tonumber(last[2]) or 0) + 1, token)
end
redis.call('ZADD', KEYS[3], now + lease, token)
redis.call('PEXPIRE', KEYS[2], lease)
redis.call('PEXPIRE', KEYS[3], lease)

if op == 'renew' then
  if trial == token then redis.call('HSET', KEYS[1], 'probeUntil', now + lease) end
  return ${ACQUIRED}
end
if redis.call('ZRANK', KEYS[2], token) >= limit then return ${QUEUED} end
if not openUntil then return ${ACQUIRED} end
redis.call('HSET', KEYS[1], 'probe', token, 'probeUntil', now + lease)
return ${ACQUIRED_FOR_TRIAL}
`;

/**
 * KEYS: circuit, index of its provider, calls, leases. ARGV: token, fingerprint, outcome, ms that the
 * provider asked for, failures that open, window of failures, first and longest cooldown, ms remembered.
 *
 * Answers the state to which the circuit has changed, or ''. Only the trial's call changes an open circuit:
 * other calls began before it opened. What the provider itself asks for counts at any time.
 */
export const RELEASE = `${NOW}
local token, fingerprint, outcome, asked = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local enough, window = tonumber(ARGV[5]), tonumber(ARGV[6])
local first, longest, remembered = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
redis.call('ZREM', KEYS[3], token)
redis.call('ZREM', KEYS[4], token)
local isTrial = redis.call('HGET', KEYS[1], 'probe') == token

local function open(untilMs)
  redis.call('HSET', KEYS[1], 'openUntil', untilMs)
  redis.call('HDEL', KEYS[1], 'probe', 'probeUntil', 'failures')
  redis.call('PEXPIRE', KEYS[1], untilMs - now + remembered)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - remembered)
  redis.call('ZADD', KEYS[2], untilMs, fingerprint)
  redis.call('PEXPIRE', KEYS[2], 2 * remembered)
end

if outcome == 'answered' then
  if openUntil and not isTrial then return '' end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], fingerprint)
  return openUntil and 'closed' or ''
end
if outcome == 'unknown' then
  if isTrial then redis.call('HDEL', KEYS[1], 'probe', 'probeUntil') end
  return ''
end
if openUntil and not isTrial then
  if now + asked > openUntil then open(now + asked) end
  return ''
end
if not openUntil and asked == 0 then
  local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
  redis.call('PEXPIRE', KEYS[1], window)
  if failures < enough then return '' end
end
if asked == 0 then
  local cooldowns = redis.call('HINCRBY', KEYS[1], 'rests', 1)
  asked = math.min(longest, first * 2 ^ (cooldowns - 1))
end
open(now + asked)
return 'open'
`;
