/** What Redis holds of a user, by name: all of it expires, and is removed with the user. */
import type { Redis } from 'ioredis';
import type { ConversationId, UserId } from '../domain/ids.js';
import { sessionKeyOf } from './session-view.js';

/** The user's open sockets over all gateways. */
export function socketsKeyOf(userId: UserId): string {
  return `agentforge:sockets:${userId}`;
}

/** @param bucket e.g. `user:<user id>` */
export function rateKeyOf(bucket: string): string {
  return `rate:${bucket}`;
}

export function userBucketOf(userId: UserId): string {
  return `user:${userId}`;
}

/** Never throws: with Redis away, what is there expires within the hour. */
export async function forgetUser(redis: Redis, userId: UserId): Promise<void> {
  await forget(redis, [socketsKeyOf(userId), rateKeyOf(userBucketOf(userId))]);
}

/** Never throws: with Redis away, what is there expires within the hour. */
export async function forgetConversations(
  redis: Redis,
  ids: readonly ConversationId[],
): Promise<void> {
  await forget(redis, ids.map(sessionKeyOf));
}

async function forget(redis: Redis, keys: readonly string[]): Promise<void> {
  if (keys.length > 0) {
    await redis.unlink(...keys).catch(() => undefined);
  }
}
