import { patched } from '@temporalio/workflow';
import type { RunInbox } from './inbox.js';
import {
  awaitedNodes,
  readyNodes,
  recordApproval,
  recordDeferral,
  recordEnd,
  recordRejection,
  stop,
  type RunState,
} from '../../domain/run/pipeline-run.js';
import type { ActiveClock } from './active-clock.js';
import type { CompletedCall, NodeCalls } from './node-calls.js';
import type { Approvals, Decided } from './approvals.js';
import { holdForBudget, isInForce } from './budget-wait.js';
import { failNow } from '../failures.js';
import type { RunProgress } from './view.js';
import type { RunDisplay } from './display.js';

/** What a run works with while its graph is interpreted. */
export interface RunWork {
  readonly progress: RunProgress;
  readonly inbox: RunInbox;
  readonly clock: ActiveClock;
  readonly calls: NodeCalls;
  readonly approvals: Approvals;
  readonly display: RunDisplay;
}

/** Whether something is ready and nothing holds the run up. */
export function canBegin({ progress, inbox }: RunWork): boolean {
  const isHeld = inbox.pausedSinceMs !== null || isInForce(progress.hold, inbox);
  return !isHeld && readyNodes(progress.run.graph, progress.state).length > 0;
}

/** Whether nothing but a person's decision can let the run go on. */
export function awaitsPerson({ progress }: RunWork): boolean {
  const { graph } = progress.run;
  return (
    readyNodes(graph, progress.state).length === 0 && awaitedNodes(graph, progress.state).length > 0
  );
}

export function isUnderWay({ calls, approvals }: RunWork): boolean {
  return !calls.isIdle() || approvals.isAsking();
}

export function hasCompleted({ calls, approvals }: RunWork): boolean {
  return calls.hasCompleted() || approvals.hasCompleted();
}

/** Takes what has ended or was decided into account. */
export function takeCompleted({ progress, inbox, calls, approvals }: RunWork): void {
  for (const decided of approvals.takeCompleted()) {
    takeDecision(progress, decided);
  }
  for (const end of calls.takeCompleted()) {
    takeEnd(progress, inbox, end);
  }
}

function takeDecision(progress: RunProgress, { node, decision }: Decided): void {
  const { graph } = progress.run;
  if (decision.kind === 'approved') {
    move(progress, node, recordApproval(graph, progress.state, node));
    return;
  }
  move(progress, node, recordRejection(graph, progress.state, decision.receipt));
  progress.results.set(node, decision.receipt);
}

function takeEnd(progress: RunProgress, inbox: RunInbox, end: CompletedCall): void {
  const { graph } = progress.run;
  if (end.kind === 'deferred') {
    move(progress, end.node, recordDeferral(graph, progress.state, end.node));
    progress.hold = isInForce(progress.hold, inbox) ? progress.hold : holdForBudget(end);
    return;
  }
  move(progress, end.result.node, recordEnd(graph, progress.state, end.result));
  progress.results.set(end.result.node, end.result);
  progress.spentUsd += end.result.costUsd;
  if (end.result.errorCode === 'over-budget') {
    progress.state = stop(progress.state, 'over-budget');
  }
}

/** Runs that passed over such an end before this do so again: `isStuck` ends them. */
const UNFIT_ENDS = '2026-12-unfit-ends';

/** @throws `internal` where what has ended or was decided fits no node: waiting on would be for ever */
function move(progress: RunProgress, node: string, state: RunState): void {
  if (state === progress.state && patched(UNFIT_ENDS)) {
    failNow('internal', `an end of "${node}" fits no node that waits for one`);
  }
  progress.state = state;
}
