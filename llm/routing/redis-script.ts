import type { Redis } from 'ioredis';
import type { Logger } from '../../telemetry/logger.js';

export interface ScriptDeps {
  readonly redis: Redis;
  readonly logger: Logger;
}

/**
 * One atomic step of the state that all workers share.
 *
 * @returns what the script answers; null while Redis is away: callers go on without it
 */
export async function runScript(
  { redis, logger }: ScriptDeps,
  lua: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  if (redis.status !== 'ready') {
    return null; // the connection has logged it, once
  }
  try {
    return await redis.eval(lua, keys.length, ...keys, ...args);
  } catch (error) {
    logger.warn('circuits and permits unknown without redis', { error });
    return null;
  }
}

/** Renews a lease until the returned function is called; a lease of a killed process runs out. */
export function renewRegularly(renew: () => Promise<unknown>, leaseMs: number): () => void {
  const timer = setInterval(() => void renew(), leaseMs / 3).unref();
  return () => {
    clearInterval(timer);
  };
}
