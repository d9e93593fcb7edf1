/** What operators and queries see of a live run; `pipeline-details.ts` says it in Markdown. */
import type { AgentReceipt } from '../activities/agents.js';
import type { RunState } from '../domain/pipeline-run.js';
import type { WaitReason } from '../domain/results.js';
import type { OpenRun } from './agent-node.js';
import type { BudgetHold } from './budget-hold.js';
import type { PipelineView } from './pipeline.messages.js';

export interface RunProgress {
  readonly run: OpenRun;
  state: RunState;
  /** US dollars that this run's own calls have cost. */
  spentUsd: number;
  hold: BudgetHold | null;
  waitingFor: WaitReason | null;
  /** How often it has begun or ended to wait. */
  round: number;
  /** By node: how it ended. */
  readonly receipts: Map<string, AgentReceipt>;
  /** By node: when it was begun, in milliseconds since 1970. */
  readonly begun: Map<string, number>;
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
