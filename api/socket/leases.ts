import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { UserId } from '../../domain/ids.js';
import { hasRoom } from '../../domain/account/permissions.js';
import { socketsKeyOf } from '../../events/user-keys.js';
import type { Logger } from '../../telemetry/logger.js';

/** One connection's place among its user's connections. */
export interface Lease {
  /**
   * Gives the place back if its user has more of them than `limit` by now.
   *
   * @returns false if it was given back
   */
  keep(limit: number): Promise<boolean>;
  release(): Promise<void>;
}

export interface Leases {
  /** @param limit -1: unlimited. @returns null if the user has no place left */
  acquire(userId: UserId, limit: number): Promise<Lease | null>;
  /** Gives every place back. */
  close(): Promise<void>;
}

export interface LeasesDeps {
  readonly redis: Redis;
  /** A place that is not renewed is free after this long. */
  readonly leaseSeconds: number;
  /**
   * Names this gateway over restarts, e.g. `<host>:<port>`: what a killed predecessor of the same
   * name held is free as soon as the new one starts.
   */
  readonly gateway: string;
  readonly logger: Logger;
}

/**
 * Counts connections per user over all gateways. The members of the user's sorted set are
 * `<life of a gateway> <connection>`, scored with the end of the lease on Redis' own clock.
 * While Redis is away, each process counts for itself.
 */
export function createLeases(deps: LeasesDeps): Leases {
  const life = `${encodeURIComponent(deps.gateway)} ${randomUUID()}`;
  const held = new Map<UserId, Set<string>>();
  const { run, ask } = createScript(deps);

  async function release(userId: UserId, member: string): Promise<void> {
    const members = held.get(userId);
    if (members?.delete(member) !== true) {
      return;
    }
    if (members.size === 0) {
      held.delete(userId);
    }
    await run('release', userId, { member, limit: -1 }).catch(() => undefined); // it expires
  }

  async function keep(userId: UserId, member: string, limit: number): Promise<boolean> {
    const isKept = await ask('keep', userId, { member, limit });
    const others = (held.get(userId)?.size ?? 1) - 1;
    if (isKept ?? hasRoom(others, limit)) {
      return true;
    }
    await release(userId, member);
    return false;
  }

  function renewAll(): void {
    for (const [userId, members] of held) {
      for (const member of members) {
        run('renew', userId, { member, limit: -1 }).catch(() => undefined); // at the next tick
      }
    }
  }
  const renewal = setInterval(renewAll, (deps.leaseSeconds * 1_000) / 3).unref();

  return {
    async acquire(userId, limit) {
      const member = `${life} ${randomUUID()}`;
      const isGranted = await ask('acquire', userId, { member, limit });
      const members = held.get(userId) ?? new Set(); // read and added to without a wait between
      if (!(isGranted ?? hasRoom(members.size, limit))) {
        return null;
      }
      held.set(userId, members.add(member));
      return {
        keep: (newLimit) => keep(userId, member, newLimit),
        release: () => release(userId, member),
      };
    },
    async close() {
      clearInterval(renewal);
      for (const [userId, members] of [...held]) {
        await Promise.all([...members].map((member) => release(userId, member)));
      }
    },
  };
}

function createScript({ redis, leaseSeconds, logger }: LeasesDeps) {
  async function run(op: LeaseOp, userId: UserId, args: { member: string; limit: number }) {
    return redis.eval(
      LEASE_SCRIPT,
      1,
      socketsKeyOf(userId),
      op,
      args.member,
      args.limit,
      leaseSeconds * 1_000,
      GATEWAY_KEYS,
    );
  }

  return {
    run,
    /** @returns null while Redis is away */
    async ask(
      op: LeaseOp,
      userId: UserId,
      args: { member: string; limit: number },
    ): Promise<boolean | null> {
      try {
        return (await run(op, userId, args)) === 1;
      } catch (error) {
        logger.warn('connections counted without redis', { userId, error });
        return null;
      }
    },
  };
}

type LeaseOp = 'acquire' | 'keep' | 'renew' | 'release';

/** A gateway's current life is kept under this and its name, as long as its leases. */
const GATEWAY_KEYS = 'agentforge:gateway:';

/**
 * KEYS: the user's leases. ARGV: op, member, limit, lease in ms, what the keys of gateways begin
 * with. Leases that have run out and those of a gateway's earlier life count no more, nor does what
 * is no lease: one that lasts longer than any, or more of them than anybody holds.
 */
const LEASE_SCRIPT = `
local op, member, limit, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local gateways = ARGV[5]
if op == 'release' then return redis.call('zrem', KEYS[1], member) end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gateway, life = string.match(member, '^(%S+) (%S+)')
redis.call('set', gateways .. gateway, life, 'px', lease)
redis.call('zremrangebyscore', KEYS[1], '-inf', now)
redis.call('zremrangebyscore', KEYS[1], now + 2 * lease, '+inf')
if redis.call('zcard', KEYS[1]) > 1000 then redis.call('del', KEYS[1]) end
for _, other in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
  local otherGateway, otherLife = string.match(other, '^(%S+) (%S+)')
  local current = otherGateway and redis.call('get', gateways .. otherGateway)
  if not otherGateway or (current and current ~= otherLife) then redis.call('zrem', KEYS[1], other) end
end
if op == 'keep' and limit >= 0 and redis.call('zcard', KEYS[1]) > limit then
  if redis.call('zrem', KEYS[1], member) == 1 then return 0 end
end
if op == 'acquire' and limit >= 0 and redis.call('zcard', KEYS[1]) >= limit then return 0 end
redis.call('zadd', KEYS[1], now + lease, member)
redis.call('pexpire', KEYS[1], lease)
return 1
`;
