import { log } from '@temporalio/activity';
import { checkGraph, type Graph } from '../../domain/pipeline.js';
import { DomainError } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import type { PipelineId } from '../../domain/ids.js';
import { isNotMigrated, natureOf } from '../../domain/outages.js';
import type { FinalStatus } from '../../domain/results.js';
import type { RunOutcome } from '../../domain/result-rules.js';
import type { Db } from '../../db/connect.js';
import type { EventStep } from '../../db/events.js';
import {
  closeRun,
  openRun,
  readRunById,
  type ClosedRun,
  type RunClosing,
  type StoredRun,
} from '../../db/pipelines.js';
import { inTransaction, repeatVictim } from '../../db/transactions.js';

/** The records of a run: short transactions, safe to repeat. */
export interface PipelineActivities {
  /** Marks a run as running and announces it, or says why its design is no graph. */
  openRun(call: { pipelineId: PipelineId }): Promise<RunOpening>;
  /**
   * Ends a run: status, result, slot and its last events in one transaction; then tells its
   * discussion. Called again, it changes nothing.
   */
  closeRun(call: CloseRunCall): Promise<RunEnd>;
  readRun(call: { pipelineId: PipelineId }): Promise<RunState>;
}

export type RunOpening =
  | {
      readonly kind: 'open';
      readonly graph: Graph;
      readonly designName: string;
      readonly simulated: boolean;
      /** Limit of the whole run. */
      readonly timeoutMs: number;
      /** Limit of one call of a vendor. */
      readonly modelTimeoutMs: number;
      /** Absent: a call that does not fit into the day's budget fails its agent. */
      readonly onBudget?: 'pause';
      /** Nodes whose answers are taken over from another run. */
      readonly reuse?: { readonly from: PipelineId; readonly nodes: readonly string[] };
    }
  | { readonly kind: 'unbuildable'; readonly reason: string }
  | { readonly kind: 'already-ended' };

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
}

export interface RunState {
  readonly isPending: boolean;
  /** Pending or running. */
  readonly isActive: boolean;
  readonly designName: string;
}

export interface PipelineDeps {
  readonly db: Db;
  readonly now: () => Date;
  readonly pipelineTimeoutMs: number;
  readonly modelCallTimeoutMs: number;
  publish(streamId: string, events: readonly StoredEvent[]): void;
  /** Signals the discussion (with start) that its run has ended. */
  tellDiscussion(notice: {
    conversationId: string;
    userId: string;
    pipelineId: PipelineId;
  }): Promise<void>;
  /** Tells a run that the slot it queues for is its own now. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
  /** Orders the archives of runs that have ended; never fails. */
  wantArchives(): void;
  /** An error of ours ended a run. */
  countMistake(where: string): void;
  countRun(end: { status: FinalStatus; durationSeconds: number }): void;
}

export function createPipelineActivities(deps: PipelineDeps): PipelineActivities {
  return {
    openRun: ({ pipelineId }) => open(deps, pipelineId),
    closeRun: (call) => close(deps, call),
    async readRun({ pipelineId }) {
      const run = await readRunById(deps.db, pipelineId);
      const status = run?.status ?? 'failed';
      return {
        isPending: status === 'pending',
        isActive: status === 'pending' || status === 'running',
        designName: run?.designName ?? '',
      };
    },
  };
}

async function open(deps: PipelineDeps, pipelineId: PipelineId): Promise<RunOpening> {
  const stepsOf = (run: StoredRun) => startOf(run, openingOf(run, deps));
  const run = await repeatVictim(() => openRun(deps.db, pipelineId, { now: deps.now(), stepsOf }));
  if (run.kind === 'already-final') {
    return { kind: 'already-ended' };
  }
  deps.publish(run.conversationId ?? pipelineId, run.events);
  return openingOf(run, deps);
}

function startOf({ id, design }: StoredRun, opening: RunOpening): readonly EventStep[] {
  if (opening.kind !== 'open') {
    return [];
  }
  const event = {
    type: 'pipeline_started',
    design_name: design.name,
    agent_count: opening.graph.nodes.length,
    pipeline_id: id,
  } as const;
  return [{ stepKey: `pipeline:${id}:started`, event }];
}

function openingOf(run: StoredRun, deps: PipelineDeps): RunOpening {
  const checked = checkGraph(run.design, run.language);
  if (checked.kind === 'unbuildable') {
    return checked;
  }
  return {
    kind: 'open',
    graph: checked.graph,
    designName: run.design.name,
    simulated: run.simulated,
    timeoutMs: deps.pipelineTimeoutMs,
    modelTimeoutMs: deps.modelCallTimeoutMs,
    ...(run.onBudget === 'pause' ? { onBudget: run.onBudget } : {}),
    ...(run.rerunOf === null || run.reusedNodes.length === 0
      ? {}
      : { reuse: { from: run.rerunOf, nodes: run.reusedNodes } }),
  };
}

/** A result that cannot be stored must not keep its run, and its user's slot, for ever. */
async function closeOrForce(
  { db, countMistake }: PipelineDeps,
  closing: RunClosing,
): Promise<ClosedRun> {
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

async function close(deps: PipelineDeps, call: CloseRunCall): Promise<RunEnd> {
  const { pipelineId, outcome, onlyPending = false } = call;
  const closing = { pipelineId, outcome, onlyPending, now: deps.now() };
  const closed = await closeOrForce(deps, closing);
  const { result, events, conversationId, userId } = closed;
  deps.publish(conversationId ?? pipelineId, events);
  if (closed.kind === 'closed') {
    if (outcome.kind === 'internal') {
      deps.countMistake('run');
      log.error('a run ended by a mistake of ours', { pipelineId, outcome });
    }
    deps.countRun({ status: result.status, durationSeconds: result.total_duration });
  }
  if (closed.kind !== 'left-running') {
    deps.wantArchives();
  }
  if (closed.grantedTo !== null) {
    await deps.tellSlotGranted(closed.grantedTo);
  }
  if (conversationId !== null && closed.kind !== 'left-running') {
    await deps.tellDiscussion({ conversationId, userId, pipelineId });
  }
  return { pipelineId, status: result.status, totalCostUsd: result.total_cost };
}
