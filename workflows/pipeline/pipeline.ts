/**
 * A pipeline: interprets its checked graph, one activity per agent node. A node is ready when
 * all its activated predecessors have ended; the order is deterministic; texts stay in PostgreSQL.
 */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunOutcome } from '../../domain/run/result-rules.js';
import type { FinalStatus } from '../../domain/run/results.js';
import { ActiveClock } from './active-clock.js';
import { records } from '../activity-proxies.js';
import type { OpenRun } from './node-calls.js';
import {
  pipelineQuery,
  type PipelineEnd,
  type PipelineInput,
  type PipelineView,
} from './pipeline.messages.js';
import { describeError, isMistake, MISTAKES, NoProgress } from '../failures.js';
import { closingDetails, finalDetailsOf, OPENING_DETAILS, reasonOfEnd } from './details.js';
import { RunDisplay } from './display.js';
import { runGraph } from './graph.js';
import { openInbox, type RunInbox } from './inbox.js';

export async function pipelineWorkflow(input: PipelineInput): Promise<PipelineEnd> {
  const display = new RunDisplay();
  setCurrentDetails(OPENING_DETAILS);
  const inbox = openInbox(() => {
    display.refresh();
  });
  setHandler(pipelineQuery, () => NOT_OPEN);
  const outcome = await openAndRun(input, inbox, display);
  inbox.isOver = true; // also of a run that was never open
  if (display.progress !== null) {
    setCurrentDetails(closingDetails(display.progress));
  }
  const end = await CancellationScope.nonCancellable(() =>
    records.closeRun({ pipelineId: input.pipelineId, outcome }),
  );
  if (!allHandlersFinished()) {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
  setCurrentDetails(finalDetailsOf(end, outcome, display.progress));
  upsertSearchAttributes([
    { key: STATUS, value: end.status },
    { key: COST_USD, value: end.totalCostUsd },
  ]);
  if (outcome.kind === 'cancelled') {
    throw new CancelledFailure('the run was cancelled'); // shown as such in the Temporal Web UI
  }
  if (FAILURES.includes(end.status) && patched(FAILED_RUNS)) {
    const reason = reasonOfEnd(end, outcome, display.progress);
    throw ApplicationFailure.nonRetryable(reason, `run-${end.status}`, end);
  }
  return end;
}

/** Runs that ended before this are shown as Completed, also where they failed. */
const FAILED_RUNS = '2026-12-02-failed-runs';

/** Ends of a run that Temporal shows, lists and counts as Failed (docs/decisions/0014). */
const FAILURES: readonly FinalStatus[] = ['failed', 'timeout'];

/**
 * Where workers have versions, a run ends in the code in which it has begun. Elsewhere Temporal
 * would refuse every command of the run under such an option.
 */
setWorkflowOptions(
  () => ({
    failureExceptionTypes: MISTAKES,
    ...(workflowInfo().currentDeploymentVersion?.deploymentName
      ? { versioningBehavior: 'PINNED' as const }
      : {}),
  }),
  pipelineWorkflow,
);

const NOT_OPEN: PipelineView = { designName: '', nodes: [], costUsd: 0, waitingFor: null };

const STATUS = defineSearchAttributeKey('AgentForgeStatus', SearchAttributeType.KEYWORD);
const COST_USD = defineSearchAttributeKey('AgentForgeCostUsd', SearchAttributeType.DOUBLE);

async function openAndRun(
  input: PipelineInput,
  inbox: RunInbox,
  display: RunDisplay,
): Promise<RunOutcome> {
  const opened = await CancellationScope.nonCancellable(() =>
    records.openRun({ pipelineId: input.pipelineId }),
  ).catch(withoutOpening);
  switch (opened.kind) {
    case 'open':
      return runWithinLimits({ ...input, ...opened }, inbox, display);
    case 'unbuildable':
      return { kind: 'unbuildable', reason: opened.reason };
    case 'already-ended':
      return { kind: 'ended' };
    case 'internal':
      return { kind: 'internal' };
  }
}

/** A run that cannot be opened ends as one of ours; one that is gone has nothing to end. */
function withoutOpening(error: unknown): { readonly kind: 'internal' } {
  if (error instanceof ActivityFailure && isMistake(error.cause)) {
    log.error('run not opened', describeError(error));
    return { kind: 'internal' };
  }
  throw error;
}

/** Runs the graph until it is done, its time is up, or somebody cancels it. */
async function runWithinLimits(
  run: OpenRun,
  inbox: RunInbox,
  display: RunDisplay,
): Promise<RunOutcome> {
  const work = new CancellationScope();
  const clock = new ActiveClock(run.timeoutMs, () => {
    work.cancel();
  });
  clock.start();
  try {
    const stopped = await work.run(() => runGraph(run, { inbox, clock, display }));
    return stopped === null ? { kind: 'ended' } : { kind: 'ended', stopped };
  } catch (error) {
    if (isCancellation(error)) {
      return clock.isTimeUp ? { kind: 'timeout' } : { kind: 'cancelled' };
    }
    log.error('run failed', { pipelineId: run.pipelineId, ...describeError(error) });
    return error instanceof NoProgress
      ? { kind: 'internal', why: 'no-progress' }
      : { kind: 'internal' };
  } finally {
    clock.stop();
  }
}
