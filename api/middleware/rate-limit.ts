/** Source of limits and texts: contract, http §1.3, decision 13. */
import { DomainError } from '../../domain/errors.js';
import { UNLIMITED, type Role } from '../../domain/permissions.js';
import { userBucketOf } from '../../events/user-keys.js';
import type { Bucket, RateLimiter } from '../rate-limiter.js';
import { clientIpOf } from './client-ip.js';
import type { ApiMiddleware } from './state.js';

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

export function limitByRole(
  limiter: RateLimiter,
  options: { rateLimits: Readonly<Record<Role, number>>; weight: number },
): ApiMiddleware {
  return async (ctx, next) => {
    const bucket =
      ctx.state.user === null ? null : bucketOfUser(ctx.state.user, options.rateLimits);
    const taken = bucket === null ? null : await limiter.take(bucket, options.weight);
    if (taken?.kind === 'refused') {
      throw new DomainError('too-many-requests', 'Rate limit exceeded', {
        retryAfterSeconds: taken.retryAfterSeconds,
      });
    }
    await next();
  };
}
