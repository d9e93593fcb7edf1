import type { AgentWait } from './agent-waits.js';
import type { PipelineId } from '../ids.js';
import type { UnreadSource } from '../collector/unread-sources.js';

export type AgentStatus = 'success' | 'failed';

/** What one agent produced. Source: contract, pipeline §5. */
export interface AgentResult {
  readonly agent_name: string;
  readonly role: string;
  readonly content: string;
  readonly tokens_used: number;
  /** US dollars */
  readonly cost_estimate: number;
  readonly duration_seconds: number;
  readonly status: AgentStatus;
  readonly error: string | null;
  /** The run whose answer this is; absent where it was made for this one. */
  readonly reused_from?: PipelineId;
  // ours; results that were stored before have none of them
  /** Who answered: a vendor, `simulated` or `data-collector`; null if no one did. */
  readonly provider?: string | null;
  readonly model?: string | null;
  /**
   * Passes over the allowed vendors that ended with an answer, with a final refusal, or with all of
   * them failing, those for a repair included; 1 for the collector, 0 where no provider was asked. Passes
   * that were lost with a worker do not count. null: not counted yet when the agent ended.
   */
  readonly attempts?: number | null;
  /** The vendor of first choice, where another one had to answer. */
  readonly fallback_from?: string | null;
  /** The answer is not complete, mostly because it reached the token limit; absent where it is. */
  readonly truncated?: true;
  /** Why it failed, as an `ErrorCode`; absent where it did not. */
  readonly error_code?: string;
  /** Addresses that it was to read and could not; absent where there are none. */
  readonly unread_sources?: readonly UnreadSource[];
}

/** What a run lacks: an agent that failed, or a source that an agent could not read. */
export interface Missing {
  readonly agent: string;
  /** In the user's language and our own words. */
  readonly reason: string;
  /** The same for programs: an `ErrorCode`, or an `UnreadReason` with its `url`. */
  readonly code: string;
  readonly url?: string;
}

/** How a run can end. */
export const FINAL_STATUSES = ['completed', 'partial', 'failed', 'timeout', 'cancelled'] as const;

export type FinalStatus = (typeof FINAL_STATUSES)[number];
export type PipelineStatus = 'pending' | 'running' | FinalStatus;

export function isFinal(status: PipelineStatus): status is FinalStatus {
  return FINAL_STATUSES.some((final) => final === status);
}

/** A finished run as clients see it. Source: contract, pipeline §5. */
export interface PipelineResult {
  readonly design_name: string;
  readonly status: FinalStatus;
  /** In order of completion (the `seq` of their `agent_completed` events). */
  readonly agent_results: readonly AgentResult[];
  /** US dollars, 6 decimals */
  readonly total_cost: number;
  /** wall clock, seconds, 2 decimals */
  readonly total_duration: number;
  readonly total_tokens: number;
  readonly output: string;
  readonly error: string | null;
  /** Absent where nothing is missing, and in results of releases before 0.7.0. */
  readonly missing?: readonly Missing[];
}

/**
 * Why a running run makes no progress: a person has to agree, the day's budget is used up, it was
 * paused, or another run of the user's holds the slot that it needs to go on.
 */
export const WAIT_REASONS = ['approval', 'budget', 'pause', 'slot'] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** What is done with a run when a call does not fit into the day's budget. */
export const BUDGET_RULES = ['stop', 'pause'] as const;
export type BudgetRule = (typeof BUDGET_RULES)[number];

/** `detail` of a run that waits; clients show it as it is. */
export const WAIT_DETAILS: Readonly<Record<WaitReason, string>> = {
  approval: 'waiting for approval',
  budget: 'waiting for budget',
  pause: 'paused',
  slot: 'waiting for another run to end',
};

/** `GET /pipelines/{id}/status`. */
export interface PipelineStatusView {
  readonly pipeline_id: PipelineId;
  readonly status: PipelineStatus;
  readonly design_name: string;
  /** ISO 8601, UTC */
  readonly started_at: string;
  readonly result: PipelineResult | null;
  /** null: it does not wait, or it has ended */
  readonly waiting_for: WaitReason | null;
  /** Agents that wait until a provider may be called again; the run holds its slot and its time goes on. */
  readonly waiting_agents: readonly AgentWait[];
  /** The same in words. */
  readonly detail: string | null;
  /** The run whose replies it may reuse; null for a run of its own. */
  readonly rerun_of: PipelineId | null;
}
