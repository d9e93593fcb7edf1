import { readRun, readRunById, type RunRecord } from '../../db/runs/runs.js';
import type { Db } from '../../db/connect.js';
import { DomainError } from '../../domain/errors.js';
import type { PipelineId } from '../../domain/ids.js';
import { isFinal, type PipelineStatusView } from '../../domain/run/results.js';
import type { Bus, Hint } from '../../events/bus.js';

/** How often the record is read where no hint comes. */
const POLL_MS = 1_000;

/**
 * Waits for a run's record to be final. Hints only hurry it: with Redis away it asks PostgreSQL
 * each second, and with Temporal away it goes on waiting.
 *
 * @returns the record as it is when the run has ended or waits for somebody, when `waitMs` is over,
 *   or when `signal` aborts
 */
export async function waitForEnd(
  { db, bus }: { db: Db; bus: Bus },
  pipelineId: PipelineId,
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<PipelineStatusView> {
  const deadline = Date.now() + waitMs;
  const run = await readRunById(db, pipelineId);
  if (run === null) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  const notifications = createNotifications(signal);
  const unsubscribe = await bus.subscribe(run.conversationId ?? pipelineId, (notification) => {
    if (endsWait(notification)) {
      notifications.give();
    }
  });
  try {
    for (;;) {
      const view = await readView(db, run);
      const leftMs = deadline - Date.now();
      if (isFinal(view.status) || view.waiting_for !== null || leftMs <= 0 || signal.aborted) {
        return view;
      }
      await notifications.next(Math.min(leftMs, POLL_MS));
    }
  } finally {
    unsubscribe();
    notifications.close();
  }
}

/** Whether the record may say something else now; a run tells of much more than that. */
function endsWait(notification: Hint): boolean {
  return (
    'nudge' in notification ||
    notification.events.some(
      ({ type }) => type === 'pipeline_result' || type === 'pipeline_waiting',
    )
  );
}

async function readView(db: Db, { id, userId }: RunRecord): Promise<PipelineStatusView> {
  const view = await readRun(db, userId, id);
  if (view === null) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  return view;
}

/** Wakes a waiter at a hint, at an abort or after a time, whichever comes first. */
function createNotifications(signal: AbortSignal) {
  let wake: (() => void) | null = null;
  let isGiven = false;
  const give = (): void => {
    isGiven = true;
    wake?.();
  };
  signal.addEventListener('abort', give);
  return {
    give,
    close: () => {
      signal.removeEventListener('abort', give);
    },
    next: (waitMs: number) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(done, isGiven ? 0 : waitMs);
        function done(): void {
          clearTimeout(timer);
          isGiven = false;
          wake = null;
          resolve();
        }
        wake = done;
      }),
  };
}
