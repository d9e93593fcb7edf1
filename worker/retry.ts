import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.js';

export interface PatienceDeps {
  readonly logger: Logger;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
}

const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 2_000;

/**
 * Tries until it works: a server may come later than those who need it. Says so once.
 *
 * @returns null if the process is to end before that
 */
export async function tryUntilStopped<T>(
  what: string,
  attempt: () => Promise<T>,
  { logger, stopping }: PatienceDeps,
): Promise<T | null> {
  let waitMs = FIRST_WAIT_MS;
  while (!stopping.aborted) {
    try {
      const result = await attempt();
      if (waitMs > FIRST_WAIT_MS) {
        logger.info(`${what} available now`);
      }
      return result;
    } catch (error) {
      if (waitMs === FIRST_WAIT_MS) {
        logger.warn(`${what} unavailable, trying again`, { error });
      }
    }
    await pause(waitMs, undefined, { signal: stopping }).catch(() => undefined); // the loop ends
    waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs);
  }
  return null;
}
