/** How a worker orders archives of runs: once for all that end within a second. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from '../telemetry/logger.js';
import { archivesStart } from '../temporal/start-options.js';
import { runsEndedSignal } from '../workflows/archives.messages.js';

export interface ArchiveDoor {
  /** Runs have ended; soon, and never fails: what is lost is ordered by the reconciler. */
  wantArchives(): void;
  /** What is wanted is ordered at once. */
  close(): Promise<void>;
}

/** By then the workflows have closed that are to be archived. */
const DELAY_MS = 1_000;
/** A silent connection is not waited for: the order is repeated. */
const TIMEOUT_MS = 5_000;
/** What a process that ends has left for it. */
const CLOSING_TIMEOUT_MS = 500;

export function createArchiveDoor(deps: {
  readonly client: Client;
  readonly taskQueue: string;
  readonly logger: Logger;
  readonly delayMs?: number;
}): ArchiveDoor {
  const { client, taskQueue, logger, delayMs = DELAY_MS } = deps;
  const outside = AsyncLocalStorage.snapshot(); // an order is of many runs, and no part of one's trace
  let timer: NodeJS.Timeout | null = null;
  let underWay = Promise.resolve();
  const order = async (timeoutMs: number): Promise<void> => {
    try {
      await client.withDeadline(Date.now() + timeoutMs, () =>
        client.workflow.signalWithStart('archivesWorkflow', {
          ...archivesStart(taskQueue),
          args: [],
          signal: runsEndedSignal,
          signalArgs: [],
        }),
      );
    } catch (error) {
      logger.warn('archives wait for the reconciler', { error });
    }
  };
  return {
    wantArchives() {
      timer ??= setTimeout(() => {
        timer = null;
        underWay = outside(order, TIMEOUT_MS);
      }, delayMs);
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
