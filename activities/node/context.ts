/** What a node's execution begins with: the call of its workflow, and what PostgreSQL holds of its run. */
import type { Db } from '../../db/connect.js';
import { readNodeRecords, type UpstreamOutput } from '../../db/runs/node-contexts.js';
import { languageOfRun } from '../../db/runs/runs.js';
import type { AgentSpec, Design } from '../../domain/design/designs.js';
import { DomainError } from '../../domain/errors.js';
import type { ConversationId, PipelineId, StepId, UserId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { nodeKindOf, upstreamOf, type NodeKind } from '../../domain/run/pipeline.js';

/** Ids and numbers only: the design and all texts are in PostgreSQL. */
export interface NodeCall {
  readonly stepId: StepId;
  readonly userId: UserId;
  readonly pipelineId: PipelineId;
  readonly conversationId: ConversationId | null;
  /** Its key in the graph. */
  readonly node: string;
  /** Index in `design.agents`. */
  readonly position: number;
  /** Whether the simulated provider answers; decided at admission. */
  readonly simulated: boolean;
  /** Bounds one provider call, in milliseconds. */
  readonly timeoutMs: number;
  /** Set where a call that does not fit into the budget is made later. */
  readonly onBudget?: 'pause';
  /** How often it was put off before. */
  readonly round?: number;
  /** The run whose answer is stored again instead of asking. */
  readonly reuseFrom?: PipelineId;
}

export interface NodeContext {
  readonly call: NodeCall;
  readonly design: Design;
  readonly agent: AgentSpec;
  readonly kind: NodeKind;
  readonly language: Language;
  /** What the nodes that lead to this one have made, in the order of their ends. */
  readonly upstream: readonly UpstreamOutput[];
  /** An earlier attempt has stored the node's end. */
  readonly hasEnded: boolean;
  /** Steps of the node whose replies an earlier attempt has stored. */
  readonly repliedSteps: readonly StepId[];
}

/** @throws `not-found` for a run that is gone or another user's, `internal` for a broken one */
export async function readContext(db: Db, call: NodeCall): Promise<NodeContext> {
  const { pipelineId, node } = call;
  const records = await readNodeRecords(db, call);
  if (records?.run.userId !== call.userId) {
    throw new DomainError('not-found', `pipeline ${pipelineId} does not exist`);
  }
  const { run, ended, hasEnded, repliedSteps } = records;
  const { design } = run;
  const agent = design.agents[call.position];
  if (agent === undefined) {
    throw new DomainError('internal', `pipeline ${pipelineId} has no such agent`);
  }
  return {
    call,
    design,
    agent,
    kind: nodeKindOf(agent),
    language: languageOfRun(run),
    upstream: upstreamOf(ended, design, node),
    hasEnded,
    repliedSteps,
  };
}
