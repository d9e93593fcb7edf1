import { CancellationScope, condition, patched, setHandler } from '@temporalio/workflow';
import {
  isDone,
  needsApproval,
  readyNodes,
  recordHold,
  recordStart,
  RUN_LIMITS,
  startRun,
  stopReasonOf,
  type NodeState,
  type StopReason,
} from '../../domain/run/pipeline-run.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import type { ActiveClock } from './active-clock.js';
import { NodeCalls, type OpenRun } from './node-calls.js';
import { Approvals } from './approvals.js';
import { attemptFailedSignal } from './attempts.messages.js';
import { viewOf, type RunProgress } from './view.js';
import { pipelineQuery } from './pipeline.messages.js';
import type { RunDisplay } from './display.js';
import type { RunInbox } from './inbox.js';
import { NoProgress } from '../failures.js';
import { isStuck, waitForWork } from './waits.js';
import { canBegin, hasCompleted, isUnderWay, takeCompleted, type RunWork } from './work.js';

export interface RunSurroundings {
  readonly inbox: RunInbox;
  readonly clock: ActiveClock;
  readonly display: RunDisplay;
}

/** @returns why nodes were left that a taken branch leads to; null if none were */
export async function runGraph(
  run: OpenRun,
  { inbox, clock, display }: RunSurroundings,
): Promise<StopReason | null> {
  const limits = { ...RUN_LIMITS, timeoutSeconds: run.timeoutMs / 1_000 };
  const state = startRun(run.graph, limits);
  const progress: RunProgress = {
    ...{
      run,
      state,
      inbox,
      spentUsd: 0,
      hold: null,
      waitingFor: null,
      waitingSinceMs: 0,
      round: 0,
    },
    ...{ results: new Map(), begun: new Map(), failing: new Map(), questions: new Map() },
  };
  const calls = new NodeCalls(run);
  const approvals = new Approvals(run, { inbox, display, questions: progress.questions });
  const work: RunWork = { progress, inbox, clock, calls, approvals, display };
  display.progress = progress;
  setHandler(pipelineQuery, () => viewOf(progress));
  setHandler(attemptFailedSignal, (failed) => {
    takeFailedAttempt(progress, failed);
    display.refresh();
  });
  try {
    await interpret(work);
    return stopReasonOf(progress.state);
  } catch (error) {
    CancellationScope.current().cancel(); // what else is in flight would be paid for nothing
    throw error;
  } finally {
    approvals.close();
    await calls.settle();
    display.refresh();
  }
}

/** A report may come late: of an attempt before the last one, or of an agent that has ended. */
function takeFailedAttempt({ run, state, failing }: RunProgress, failed: FailedAttempt): void {
  const { node, attempt } = failed;
  const index = run.graph.nodes.findIndex((it) => it.node === node);
  if (node !== null && state.nodes[index] === 'running') {
    const known = failing.get(node);
    failing.set(node, known === undefined || attempt > known.attempt ? failed : known);
  }
}

/** Runs that began before this may wait with calls in flight, if resumed and paused at once. */
const ONLY_IDLE = '2026-11-wait-only-idle';

async function interpret(work: RunWork): Promise<void> {
  const { progress } = work;
  const { graph } = progress.run;
  while (!isDone(graph, progress.state)) {
    beginReady(work);
    work.display.refresh();
    await condition(() => hasCompleted(work) || canBegin(work) || !isUnderWay(work));
    if (!hasCompleted(work) && !canBegin(work)) {
      if (isUnderWay(work) && patched(ONLY_IDLE)) {
        continue; // what has woken it was taken back before it could look
      }
      if (isStuck(work)) {
        throw new NoProgress(`the run can make no progress: ${openNodesOf(progress).join(', ')}`);
      }
      if ((await waitForWork(work)) === 'ended') {
        return;
      }
    }
    takeCompleted(work);
  }
  await takeLastDecisions(work);
}

/** Nodes that have begun and not ended, with their states. */
function openNodesOf({ run, state }: RunProgress): readonly string[] {
  const isOpen = (it: NodeState | undefined): boolean => it === 'running' || it === 'approving';
  return run.graph.nodes.flatMap(({ node }, at) =>
    isOpen(state.nodes[at]) ? [`${node} is ${state.nodes[at] ?? ''}`] : [],
  );
}

/** Runs that ended before this may have left out of account what was just being recorded. */
const LAST_DECISIONS = '2026-11-last-decisions';

/**
 * Nothing begins any more, also after an approval; but a rejection that is stored is an end of its
 * agent, and why the run has ended is to be told by all ends.
 */
async function takeLastDecisions(work: RunWork): Promise<void> {
  const { approvals, clock } = work;
  if (approvals.isRecording() && patched(LAST_DECISIONS)) {
    clock.stop();
    // a cancel that comes now comes too late
    await CancellationScope.nonCancellable(() => condition(() => !approvals.isRecording()));
    takeCompleted(work);
  }
}

/** Starts what is ready, or asks the owner first. */
function beginReady(work: RunWork): void {
  const { progress, inbox, calls, approvals } = work;
  const { graph } = progress.run;
  const ready = canBegin(work) ? readyNodes(graph, progress.state) : [];
  for (const name of ready) {
    const node = graph.nodes.find((it) => it.node === name);
    const isAnswered = progress.run.reuse?.nodes.includes(name) === true;
    if (node?.approval && !isAnswered && needsApproval(graph, progress.state, name)) {
      progress.state = recordHold(graph, progress.state, name);
      approvals.ask(node, node.approval);
    } else {
      progress.state = recordStart(graph, progress.state, name);
      progress.begun.set(name, Date.now());
      progress.failing.delete(name); // of the call that was put off
      calls.start(name, inbox);
    }
  }
}
