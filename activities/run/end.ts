/**
 * The end of a run, written once for every way to end: all nodes done, stopped, cancelled, out of time,
 * unbuildable, a mistake of ours, or a workflow that never began or was terminated from outside.
 */
import { log } from '@temporalio/activity';
import { DomainError } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import type { ConversationId, PipelineId, StreamId, UserId } from '../../domain/ids.js';
import { isNotMigrated, natureOf } from '../../domain/outages.js';
import type { RunOutcome } from '../../domain/run/result-rules.js';
import type { FinalStatus } from '../../domain/run/results.js';
import type { Db } from '../../db/connect.js';
import { closeRun, type ClosedRun, type RunClosing } from '../../db/runs/runs.js';
import { inTransaction } from '../../db/transactions.js';

export interface CloseRunCall {
  readonly pipelineId: PipelineId;
  readonly outcome: RunOutcome;
  /** Leave a run alone that has begun. */
  readonly onlyPending?: boolean;
}

export interface RunEnd {
  readonly pipelineId: PipelineId;
  readonly status: FinalStatus;
  readonly totalCostUsd: number;
  /** Absent in results of 0.6.0 and before. */
  readonly kind?: ClosedRun['kind'];
}

export interface RunEndDeps {
  readonly db: Db;
  readonly now: () => Date;
  publish(streamId: StreamId, events: readonly StoredEvent[]): void;
  countRun(end: { readonly status: FinalStatus; readonly durationSeconds: number }): void;
  /** An error of ours ended a run. */
  countMistake(where: string): void;
  /** Orders the archives of runs that have ended; never fails. */
  wantArchives(): void;
  /** Signals a run that the slot it queues for is its own now. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
  /** Signals the discussion (with start) that its run has ended. */
  tellDiscussion(notice: {
    readonly conversationId: ConversationId;
    readonly userId: UserId;
    readonly pipelineId: PipelineId;
  }): Promise<void>;
}

/**
 * Ends a run. One transaction decides: status, result, lock, message and last events together. What
 * follows is repeated when an attempt is lost in between, and each of it may be repeated. An end that
 * was stored before changes nothing.
 *
 * @throws `not-found`; `unavailable` while PostgreSQL or Temporal is away
 */
export async function endRun(deps: RunEndDeps, call: CloseRunCall): Promise<RunEnd> {
  const { pipelineId, outcome } = call;
  const closed = await storeEnd(deps, { ...call, now: deps.now() });
  const { kind, result, conversationId, userId } = closed;
  deps.publish(conversationId ?? pipelineId, closed.events);
  if (kind === 'closed') {
    deps.countRun({ status: result.status, durationSeconds: result.total_duration });
  }
  if (kind === 'closed' && outcome.kind === 'internal') {
    deps.countMistake('run');
    log.error('a run ended by a mistake of ours', { pipelineId, outcome });
  }
  if (kind !== 'left-running') {
    deps.wantArchives();
  }
  if (closed.grantedTo !== null) {
    await deps.tellSlotGranted(closed.grantedTo);
  }
  if (kind !== 'left-running' && conversationId !== null) {
    await deps.tellDiscussion({ conversationId, userId, pipelineId });
  }
  return { pipelineId, status: result.status, totalCostUsd: result.total_cost, kind };
}

/** A result that cannot be stored must not keep its run, and its user's lock, for ever. */
async function storeEnd({ db, countMistake }: RunEndDeps, closing: RunClosing): Promise<ClosedRun> {
  try {
    return await inTransaction(db, (tx) => closeRun(tx, closing));
  } catch (error) {
    if (error instanceof DomainError || natureOf(error) !== 'mistake' || isNotMigrated(error)) {
      throw error;
    }
    const { pipelineId } = closing;
    log.error('the result of a run cannot be stored: it ends without', { pipelineId, error });
    countMistake('run');
    const bare: RunClosing = { ...closing, outcome: { kind: 'internal' }, isBare: true };
    return inTransaction(db, (tx) => closeRun(tx, bare));
  }
}
