import type { Redis } from 'ioredis';
import type { Logger } from '../telemetry/logger.js';

export interface ScriptDeps {
  readonly redis: Redis;
  readonly logger: Logger;
}

/** @returns what the script answers; null while Redis is away: callers go on without it */
export type Script = (
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

/** One atomic step of the state that all workers share. @param what it is about, for the log */
export function redisScript({ redis, logger }: ScriptDeps, what: string, lua: string): Script {
  return async (keys, args) => {
    if (redis.status !== 'ready') {
      return null; // the connection has said so, once
    }
    try {
      return await redis.eval(lua, keys.length, ...keys, ...args);
    } catch (error) {
      logger.warn(`${what} unknown without redis`, { error });
      return null;
    }
  };
}

/** Renews a lease until the returned function is called; a lease of a killed process runs out. */
export function keepAlive(renew: () => Promise<unknown>, leaseMs: number): () => void {
  const timer = setInterval(() => void renew(), leaseMs / 3).unref();
  return () => {
    clearInterval(timer);
  };
}
