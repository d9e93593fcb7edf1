/** What an agent is to do, and what became of it. */
import { agentFailureText, type AgentFailure } from '../../domain/agent-failures.js';
import type { AgentSpec, Design } from '../../domain/designs.js';
import type { ErrorCode } from '../../domain/errors.js';
import type { ConversationId, PipelineId, StepId, UserId } from '../../domain/ids.js';
import type { Language } from '../../domain/languages.js';
import type { NodeKind, PromptedKind } from '../../domain/pipeline.js';
import type { AgentStatus } from '../../domain/results.js';
import type { UnreadSource } from '../../domain/unread-sources.js';
import type { PriorStep } from '../../db/agent-steps.js';

/** Ids and numbers only: the design and all texts are in PostgreSQL. */
export interface AgentCall {
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
  /** Bounds one vendor call, in milliseconds. */
  readonly timeoutMs: number;
  /** Set where a call that does not fit into the budget is to be made later. */
  readonly onBudget?: 'pause';
  /** How often it was put off before. */
  readonly round?: number;
  /** The run whose answer is to be taken over instead of asking. */
  readonly reuseFrom?: PipelineId;
}

/** What is known of an agent once its run is read. */
export interface AgentTask {
  readonly call: AgentCall;
  readonly design: Design;
  readonly agent: AgentSpec;
  readonly kind: NodeKind;
  readonly language: Language;
  /** The agents that have ended before the run has. */
  readonly steps: readonly PriorStep[];
  /** An attempt that was lost has stored the model's reply. */
  readonly hasReply: boolean;
}

/** A task that a model is asked for. */
export type PromptedTask = AgentTask & { readonly kind: PromptedKind };

export interface AgentOutcome {
  readonly agent: AgentSpec;
  readonly status: AgentStatus;
  readonly errorCode: ErrorCode | null;
  readonly error: string | null;
  readonly content: string;
  readonly tokensUsed: number;
  readonly provider: string | null;
  readonly model: string | null;
  /** As in `AgentResult`. */
  readonly attempts: number;
  readonly fallbackFrom: string | null;
  /** The answer is not complete. */
  readonly truncated: boolean;
  /** Addresses that were to be read and could not. */
  readonly unread: readonly UnreadSource[];
  /** Numeric fields of the agent's own answer. */
  readonly answered: Readonly<Record<string, number>>;
}

export const NOTHING_MADE = {
  content: '',
  tokensUsed: 0,
  provider: null,
  model: null,
  attempts: 0,
  fallbackFrom: null,
  truncated: false,
  unread: [],
  answered: {},
} as const;

/** @param made what there is all the same: what was spent, and by whom it was answered */
export function failedAgent(
  { agent, language }: AgentTask,
  failure: Omit<AgentFailure, 'agentName'>,
  made: Partial<AgentOutcome> = {},
): AgentOutcome {
  const { code: errorCode } = failure;
  const error = agentFailureText({ agentName: agent.name, ...failure }, language);
  return { ...NOTHING_MADE, ...made, agent, status: 'failed', errorCode, error };
}
