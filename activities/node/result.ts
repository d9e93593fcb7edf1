/** How a node's execution ends, and what its workflow reads of that. */
import { Context } from '@temporalio/activity';
import type { AgentStep } from '../../db/runs/agent-steps.js';
import type { NodeEnd } from '../../db/runs/node-ends.js';
import { agentFailureText, type AgentFailure } from '../../domain/agents/failures.js';
import type { ErrorCode } from '../../domain/errors.js';
import type { AskedVendor } from '../../domain/run/failed-attempts.js';
import { nodeStepIds } from '../../domain/run/node-steps.js';
import { previewOf } from '../../domain/text/previews.js';
import { rounded } from '../../domain/run/result-rules.js';
import type { AgentStatus } from '../../domain/run/results.js';
import type { NodeContext } from './context.js';

/** Histories of all releases hold it: its fields stay, and a new one is optional. */
export interface NodeResult {
  readonly node: string;
  readonly status: AgentStatus;
  readonly errorCode: ErrorCode | null;
  readonly tokensUsed: number;
  readonly costUsd: number;
  /** From the first attempt's start, 2 decimals. */
  readonly durationSeconds: number;
  readonly provider: string | null;
  readonly model: string | null;
  /** As in `AgentResult`; absent in results of older versions. */
  readonly attempts?: number | null;
  /** What conditions of edges may look at. */
  readonly fields: Readonly<Record<string, number>>;
  /** The first 200 characters of the answer. */
  readonly preview: string;
  /** Of a failed node: the providers that its last attempt has asked. */
  readonly asked?: readonly AskedVendor[];
}

export function toNodeResult(step: AgentStep): NodeResult {
  return {
    node: step.node,
    status: step.status,
    errorCode: step.errorCode,
    tokensUsed: step.tokensUsed,
    costUsd: Number(step.cost),
    durationSeconds: step.durationSeconds,
    provider: step.provider,
    model: step.model,
    attempts: step.attempts,
    fields: step.fields,
    preview: previewOf(step.content),
  };
}

/** Who has answered a node, after how many attempts, and how completely. */
export type Effort = Pick<
  NodeEnd,
  'tokensUsed' | 'provider' | 'model' | 'attempts' | 'fallbackFrom' | 'truncated' | 'unreadSources'
>;

export const NO_EFFORT: Effort = {
  tokensUsed: 0,
  provider: null,
  model: null,
  attempts: 0,
  fallbackFrom: null,
  truncated: false,
  unreadSources: null,
};

/** @param answered numeric fields of the agent's own answer, for conditions of edges */
export function succeeded(
  context: NodeContext,
  content: string,
  { answered = {}, ...effort }: Effort & { readonly answered?: Readonly<Record<string, number>> },
): NodeEnd {
  const end = endOf(context, effort);
  return {
    ...end,
    status: 'success',
    content,
    error: null,
    errorCode: null,
    fields: { ...answered, ...end.fields },
  };
}

export function failed(
  context: NodeContext,
  failure: Omit<AgentFailure, 'agentName'>,
  effort: Effort = NO_EFFORT,
): NodeEnd {
  const { agent, language } = context;
  const error = agentFailureText({ agentName: agent.name, ...failure }, language);
  return failedWith(context, { errorCode: failure.code, error }, effort);
}

/** @param failure its text in the user's language, where the code does not say enough */
export function failedWith(
  context: NodeContext,
  failure: Pick<NodeEnd, 'errorCode' | 'error'>,
  effort: Effort,
): NodeEnd {
  return { ...endOf(context, effort), status: 'failed', content: '', ...failure };
}

function endOf({ call, agent }: NodeContext, effort: Effort) {
  const durationSeconds = secondsSinceScheduled();
  return {
    id: call.stepId,
    pipelineId: call.pipelineId,
    node: call.node,
    agentName: agent.name,
    role: agent.role,
    ...effort,
    durationSeconds,
    fields: { tokens_used: effort.tokensUsed, duration_seconds: durationSeconds },
    paidSteps: nodeStepIds(call.stepId),
    reusedFrom: null,
  };
}

/** Wall clock over all attempts; the clocks of server and worker may differ a little. */
function secondsSinceScheduled(): number {
  const { scheduledTimestampMs } = Context.current().info;
  return Math.max(0, rounded((Date.now() - scheduledTimestampMs) / 1_000, 2));
}
