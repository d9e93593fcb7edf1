/** Source of limits and texts: contract, http §1.3, decision 13. */
import { DomainError } from '../../../domain/errors.js';
import { UNLIMITED, type Role } from '../../../domain/account/permissions.js';
import { userBucketOf } from '../../../events/user-keys.js';
import type { Bucket, RateLimiter } from '../rate-limiter.js';
import { clientIpOf, networkOf } from './client-ip.js';
import type { SignedInUser } from '../route.js';
import { declaredBytes } from './read-body.js';
import type { ApiMiddleware, Context } from './state.js';

export interface AuthLimitConfig {
  readonly authRateLimit: number;
  readonly authRateWindowSeconds: number;
  readonly trustedProxyCount: number;
}

/** One bucket per client network for all attempts to authenticate, successful ones included. */
export function limitAuthAttempts(limiter: RateLimiter, config: AuthLimitConfig): ApiMiddleware {
  return async (ctx, next) => {
    const ip = clientIpOf(ctx.req, config.trustedProxyCount);
    await takeAuthAttempt(limiter, {
      key: `auth:${networkOf(ip)}`,
      capacity: config.authRateLimit,
      windowSeconds: config.authRateWindowSeconds,
    });
    await next();
  };
}

/** @throws `too-many-requests` */
export async function takeAuthAttempt(limiter: RateLimiter, bucket: Bucket): Promise<void> {
  const taken = await limiter.take(bucket, 1);
  if (taken.kind === 'refused') {
    throw new DomainError(
      'too-many-requests',
      'Too many authentication attempts. Please try again later.',
      { retryAfterSeconds: taken.retryAfterSeconds },
    );
  }
}

const MINUTE_S = 60;

/** The user's bucket; null for a role without a limit. Socket messages take 1 from it, too. */
export function bucketOfUser(
  user: { id: string; role: Role },
  rateLimits: Readonly<Record<Role, number>>,
): Bucket | null {
  const capacity = rateLimits[user.role];
  return capacity === UNLIMITED
    ? null
    : { key: userBucketOf(user.id), capacity, windowSeconds: MINUTE_S };
}

export interface RoleLimit {
  readonly rateLimits: Readonly<Record<Role, number>>;
  /** Of a request without a body. */
  readonly weight: number;
  /** A longer body is refused unread, so no more of it counts. */
  readonly maxBytes: number;
}

export function limitByRole(limiter: RateLimiter, limit: RoleLimit): ApiMiddleware {
  return async (ctx, next) => {
    await takeOfUser(limiter, ctx.state.user, {
      limit,
      from: null,
      to: declaredWithin(ctx, limit),
    });
    await next();
  };
}

/** Takes from the user's rate what a body weighs beyond its declared length. */
export type ChargeBytes = (ctx: Context, bytes: number) => Promise<void>;

export function chargeBytes(limiter: RateLimiter, limit: RoleLimit): ChargeBytes {
  return async (ctx, bytes) => {
    const from = declaredWithin(ctx, limit);
    if (bytes > from) {
      await takeOfUser(limiter, ctx.state.user, { limit, from, to: bytes });
    }
  };
}

function declaredWithin(ctx: Context, { maxBytes }: RoleLimit): number {
  return Math.min(declaredBytes(ctx), maxBytes);
}

const FREE_BYTES = 65_536;
const BYTES_PER_TOKEN = 262_144;

/** What is sent every day weighs nothing more; a body of 2 MB as much as eight requests. */
function weightOf(limit: RoleLimit, bytes: number): number {
  return limit.weight + (bytes <= FREE_BYTES ? 0 : bytes / BYTES_PER_TOKEN);
}

/**
 * Takes what a request of `to` bytes weighs beyond one of `from` bytes, for which it was taken
 * already. A full bucket carries the largest body that a route takes.
 */
async function takeOfUser(
  limiter: RateLimiter,
  user: SignedInUser | null,
  { limit, from, to }: { limit: RoleLimit; from: number | null; to: number },
): Promise<void> {
  const bucket = user === null ? null : bucketOfUser(user, limit.rateLimits);
  if (bucket === null) {
    return;
  }
  const weightWithin = (bytes: number) =>
    Math.min(weightOf(limit, bytes), Math.max(limit.weight, bucket.capacity));
  const weight = weightWithin(to) - (from === null ? 0 : weightWithin(from));
  const taken = await limiter.take(bucket, weight);
  if (taken.kind === 'refused') {
    throw new DomainError('too-many-requests', 'Rate limit exceeded', {
      retryAfterSeconds: taken.retryAfterSeconds,
    });
  }
}
