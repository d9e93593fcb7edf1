/** Source of limits and texts: contract, http §1.3, decision 13. */
import { DomainError } from '../../domain/errors.js';
import { UNLIMITED, type Role } from '../../domain/permissions.js';
import { userBucketOf } from '../../events/user-keys.js';
import type { Bucket, RateLimiter } from '../rate-limiter.js';
import { clientIpOf } from './client-ip.js';
import type { SignedInUser } from '../route.js';
import { declaredBytes } from './read-body.js';
import type { ApiMiddleware, Context } from './state.js';

export interface AuthLimitConfig {
  readonly authRateLimit: number;
  readonly authRateWindowSeconds: number;
  readonly trustedProxyCount: number;
}

/** One bucket per client address for all attempts to authenticate, successful ones included. */
export function limitAuthAttempts(limiter: RateLimiter, config: AuthLimitConfig): ApiMiddleware {
  return async (ctx, next) => {
    const ip = clientIpOf(ctx.req, config.trustedProxyCount);
    await takeAuthAttempt(limiter, {
      key: `auth:${ip}`,
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

interface RoleLimit {
  readonly rateLimits: Readonly<Record<Role, number>>;
  /** Of a request without a body. */
  readonly weight: number;
  /** A longer body is refused unread, so no more of it counts. */
  readonly maxBytes: number;
}

export function limitByRole(
  limiter: RateLimiter,
  { rateLimits, weight, maxBytes }: RoleLimit,
): ApiMiddleware {
  return async (ctx, next) => {
    const bytes = Math.min(declaredBytes(ctx), maxBytes);
    await takeOfUser(limiter, ctx.state.user, { rateLimits, weight: weight + weightOf(bytes) });
    await next();
  };
}

/** Takes from the user's rate what a body has weighed beyond its declared length. */
export type ChargeBytes = (ctx: Context, bytes: number) => Promise<void>;

export function chargeBytes(
  limiter: RateLimiter,
  rateLimits: Readonly<Record<Role, number>>,
): ChargeBytes {
  return async (ctx, bytes) => {
    const weight = weightOf(bytes);
    if (weight > 0) {
      await takeOfUser(limiter, ctx.state.user, { rateLimits, weight });
    }
  };
}

const FREE_BYTES = 65_536;
const BYTES_PER_TOKEN = 262_144;

/** What is sent every day weighs nothing; a body of 2 MB as much as eight requests. */
function weightOf(bytes: number): number {
  return bytes <= FREE_BYTES ? 0 : bytes / BYTES_PER_TOKEN;
}

/** The largest request that a route takes fits into a full bucket, however small the bucket is. */
async function takeOfUser(
  limiter: RateLimiter,
  user: SignedInUser | null,
  { rateLimits, weight }: Pick<RoleLimit, 'rateLimits' | 'weight'>,
): Promise<void> {
  const bucket = user === null ? null : bucketOfUser(user, rateLimits);
  if (bucket === null) {
    return;
  }
  const taken = await limiter.take(bucket, Math.min(weight, Math.max(1, bucket.capacity)));
  if (taken.kind === 'refused') {
    throw new DomainError('too-many-requests', 'Rate limit exceeded', {
      retryAfterSeconds: taken.retryAfterSeconds,
    });
  }
}
