import { Redis } from 'ioredis';
import { DomainError } from '../domain/errors.js';
import type { Logger } from '../telemetry/logger.js';

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 2_000;
const RECONNECT_MS = 250;

/** While Redis is away its commands fail at once, and it goes on connecting. */
export function openRedis(url: string, logger: Logger): Redis {
  const redis = new Redis(url, {
    connectionName: 'agentforge-collector',
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => RECONNECT_MS,
  });
  let isAway = false;
  redis.on('error', (error: Error) => {
    if (!isAway) {
      logger.warn('redis unavailable', { error });
    }
    isAway = true;
  });
  redis.on('ready', () => {
    isAway = false;
  });
  return redis;
}

/** @throws DomainError `unavailable` for every error of Redis */
export async function askRedis<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((cause: unknown) => {
    throw new DomainError('unavailable', 'the store of collections is away', { cause });
  });
}
