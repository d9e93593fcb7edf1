/** What operators and queries see of a live run; `details.ts` says it in Markdown. */
import type { NodeResult } from '../../activities/node/result.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import type { ApprovalRule } from '../../domain/run/pipeline.js';
import type { RunState } from '../../domain/run/pipeline-run.js';
import type { WaitReason } from '../../domain/run/results.js';
import type { OpenRun } from './node-calls.js';
import type { BudgetHold } from './budget-wait.js';
import type { PipelineView } from './pipeline.messages.js';
import type { RunInbox } from './inbox.js';

export interface RunProgress {
  readonly run: OpenRun;
  state: RunState;
  /** US dollars that this run's own calls have cost. */
  spentUsd: number;
  hold: BudgetHold | null;
  waitingFor: WaitReason | null;
  /** Milliseconds since 1970; meaningless where it does not wait. */
  waitingSinceMs: number;
  readonly inbox: Pick<RunInbox, 'pausedSinceMs'>;
  /** How often it has begun or ended to wait. */
  round: number;
  /** By node: how it ended. */
  readonly results: Map<string, NodeResult>;
  /** By node: when it was begun, in milliseconds since 1970. */
  readonly begun: Map<string, number>;
  /** By node: the last attempt that has failed and is made again. */
  readonly failing: Map<string, FailedAttempt>;
  /** By node: what its owner is asked. */
  readonly questions: Map<string, Question>;
}

export interface Question {
  /** Milliseconds since 1970, both. */
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly onTimeout: ApprovalRule['onTimeout'];
}

export function viewOf({ run, state, spentUsd, waitingFor }: RunProgress): PipelineView {
  return {
    designName: run.designName,
    costUsd: spentUsd,
    waitingFor,
    nodes: run.graph.nodes.map(({ node, agentName }, index) => ({
      node,
      agentName,
      state: state.nodes[index] ?? 'waiting',
    })),
  };
}
