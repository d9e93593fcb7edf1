import { setTimeout as pause } from 'node:timers/promises';
import { FIRST_START_RETRY_MS, LONGEST_START_RETRY_MS } from '../temporal/client/timeouts.js';
import type { Logger } from '../telemetry/logger.js';

export interface RetryDeps {
  readonly logger: Logger;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
}

/**
 * Tries until it works: a server may come later than those who need it. Says so once.
 *
 * @returns null if the process is to end before that
 */
export async function tryUntilStopped<T>(
  what: string,
  attempt: () => Promise<T>,
  { logger, stopping }: RetryDeps,
): Promise<T | null> {
  let waitMs = FIRST_START_RETRY_MS;
  while (!stopping.aborted) {
    try {
      const result = await attempt();
      if (waitMs > FIRST_START_RETRY_MS) {
        logger.info(`${what} available now`);
      }
      return result;
    } catch (error) {
      if (waitMs === FIRST_START_RETRY_MS) {
        logger.warn(`${what} unavailable, trying again`, { error });
      }
    }
    await pause(waitMs, undefined, { signal: stopping }).catch(() => undefined); // the loop ends
    waitMs = Math.min(LONGEST_START_RETRY_MS, 2 * waitMs);
  }
  return null;
}
