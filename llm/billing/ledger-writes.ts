/** What a provider call has cost is written down even when PostgreSQL is away for a while. */
import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '../../domain/errors.js';
import { isLasting } from '../../domain/outages.js';
import type { Logger } from '../../telemetry/logger.js';

export interface LedgerWriteDeps {
  readonly logger: Logger;
  /** Aborts when the process is about to end: what is not written then is lost. */
  readonly stopping?: AbortSignal | undefined;
  /** Milliseconds; the clock and the timers if absent. */
  readonly now?: (() => number) | undefined;
  readonly sleep?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 2_000;
/**
 * Long enough for a database to be started anew, and short enough to end within the activity's own
 * timeout (workflows/activity-proxies.ts).
 */
const WRITE_TIMEOUT_MS = 120_000;

/**
 * Repeats a write until it succeeds. It has to be safe to repeat: the store may have taken it
 * although it did not say so.
 *
 * @throws what the write threw: at once what is no outage, else after the timeout or when the process ends
 */
export async function writeToLedger<T>(
  { logger, stopping, now = Date.now, sleep = sleepFor }: LedgerWriteDeps,
  write: () => Promise<T>,
): Promise<T> {
  const end = now() + WRITE_TIMEOUT_MS;
  const signal = stopping ?? new AbortController().signal;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs)) {
    try {
      return await write();
    } catch (error) {
      if (error instanceof DomainError || isLasting(error) || signal.aborted || now() >= end) {
        throw error;
      }
      logger.warn('the ledger is away, trying again', { error, waitMs });
    }
    await sleep(waitMs, signal);
  }
}

/** Ends early, without a failure, when `signal` aborts: one last try is left. */
async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
