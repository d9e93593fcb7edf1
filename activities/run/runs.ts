import { checkGraph, type Graph } from '../../domain/run/pipeline.js';
import type { PipelineId } from '../../domain/ids.js';
import type { EventStep } from '../../db/events.js';
import { openRun, readRunById, type StoredRun } from '../../db/runs/runs.js';
import { retryTransaction } from '../../db/transactions.js';
import { endRun, type CloseRunCall, type RunEnd, type RunEndDeps } from './end.js';

/** The records of a run: short transactions, safe to repeat. */
export interface PipelineActivities {
  /** Marks a run as running and announces it, or says why its design is no graph. */
  openRun(call: { pipelineId: PipelineId }): Promise<RunOpening>;
  /** Ends a run (end.ts). */
  closeRun(call: CloseRunCall): Promise<RunEnd>;
  readRun(call: { pipelineId: PipelineId }): Promise<RunState>;
}

export type RunOpening =
  | BuiltRun
  | { readonly kind: 'unbuildable'; readonly reason: string }
  | { readonly kind: 'already-ended' };

/** A run whose design is a graph. */
export interface BuiltRun {
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

export interface RunState {
  readonly isPending: boolean;
  /** Pending or running. */
  readonly isActive: boolean;
  readonly designName: string;
}

export interface PipelineDeps extends RunEndDeps {
  readonly pipelineTimeoutMs: number;
  readonly modelCallTimeoutMs: number;
}

export function createPipelineActivities(deps: PipelineDeps): PipelineActivities {
  return {
    openRun: ({ pipelineId }) => open(deps, pipelineId),
    closeRun: (call) => endRun(deps, call),
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
  const run = await retryTransaction(() =>
    openRun(deps.db, pipelineId, { now: deps.now(), stepsOf }),
  );
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
