/** How a worker orders archives of runs: in a quiet time, once for all that have ended by then. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../telemetry/logger.js';
import { requestArchivesOfRuns } from '../../temporal/client/archives.js';
import { CLOSING_TIMEOUT_MS, type Temporal } from '../../temporal/client/timeouts.js';

export interface ArchiveRequests {
  /** Runs have ended; never fails: what is lost is ordered by the reconciler. */
  wantArchives(): void;
  /** What is wanted is ordered at once. */
  close(): Promise<void>;
}

/** A worker without an activity for so long has time; by then the workflows have closed, too. */
const QUIET_MS = 2_000;
/** A worker that is always busy does not wait for longer: a proof has to be there in time. */
const LATEST_MS = 60_000;

export function createArchiveRequests(deps: {
  readonly temporal: Temporal;
  readonly logger: Logger;
  /** How long this worker has had nothing to do, in milliseconds. */
  readonly quietForMs: () => number;
  readonly quietMs?: number;
  readonly latestMs?: number;
}): ArchiveRequests {
  const { temporal, logger, quietForMs } = deps;
  const { quietMs = QUIET_MS, latestMs = LATEST_MS } = deps;
  const outside = AsyncLocalStorage.snapshot(); // an order is of many runs, and no part of one's trace
  let timer: NodeJS.Timeout | null = null;
  let underWay = Promise.resolve();
  const order = async (timeoutMs?: number): Promise<void> => {
    try {
      await requestArchivesOfRuns(temporal, timeoutMs);
    } catch (error) {
      logger.warn('archives wait for the reconciler', { error });
    }
  };
  const requestWhenQuiet = (latestAt: number): void => {
    const waitMs = Math.min(quietMs - quietForMs(), latestAt - performance.now());
    if (waitMs > 0) {
      timer = setTimeout(requestWhenQuiet, waitMs, latestAt);
      return;
    }
    timer = null;
    underWay = outside(order);
  };
  return {
    wantArchives() {
      timer ??= setTimeout(requestWhenQuiet, quietMs, performance.now() + latestMs);
    },
    async close() {
      if (timer !== null) {
        clearTimeout(timer);
        timer = null;
        underWay = outside(order, CLOSING_TIMEOUT_MS);
      }
      await Promise.race([underWay, pause(2 * CLOSING_TIMEOUT_MS, undefined, { ref: false })]);
    },
  };
}
