import { Redis } from 'ioredis';
import type { Logger } from '../telemetry/logger.js';

export interface RedisOptions {
  readonly url: string;
  /** Shown in `CLIENT LIST`. */
  readonly name: string;
  readonly logger: Logger;
}

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_000;
/** How long a vanished peer may keep a connection that is given up. */
const DISCONNECT_TIMEOUT_MS = 250;
const LONGEST_RECONNECT_MS = 1_000;

/**
 * A connection that fails fast: while Redis is away its commands reject at once or within a
 * second, and it keeps reconnecting for ever. Callers go on without it. End it with
 * `redis.disconnect()`.
 */
export function connectRedis({ url, name, logger }: RedisOptions): Redis {
  const redis = new Redis(url, {
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    retryStrategy: (attempt) => Math.min(25 * 2 ** Math.min(attempt, 10), LONGEST_RECONNECT_MS),
  });
  let isDown = false;
  redis.on('error', (error: Error) => {
    if (!isDown) {
      isDown = true; // one line per outage, not one per attempt
      logger.warn('redis unavailable', { connection: name, error });
    }
  });
  redis.on('ready', () => {
    if (isDown) {
      logger.info('redis available again', { connection: name });
    }
    isDown = false;
  });
  return redis;
}
