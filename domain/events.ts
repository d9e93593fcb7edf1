import type { AgentWait } from './run/agent-waits.js';
import type { Critique, Design } from './design/designs.js';
import type { ConversationId, PipelineId } from './ids.js';
import type { AgentStatus, PipelineResult, WaitReason } from './run/results.js';

/**
 * All that an event stream may carry, in the contract's own spelling (websocket §3).
 * `domain/events.ts` is the only place that names event kinds.
 */
export type StreamEvent =
  | {
      readonly type: 'user_message_received';
      readonly content: string;
      readonly message_id: string;
    }
  | ClarificationEvent
  | DesignsPresentedEvent
  | {
      readonly type: 'critique_complete';
      readonly content: string;
      readonly critiques: readonly Critique[];
      readonly state: 'refine';
      readonly round: number;
    }
  | PlanGeneratedEvent
  | { readonly type: 'security_warning'; readonly content: string; readonly safe: false }
  | ErrorEvent
  | PipelineEvent
  | WaitEvent;

export interface ClarificationEvent {
  readonly type: 'clarification';
  readonly content: string;
  readonly questions: readonly string[];
  readonly partial_intent: { readonly task: string; readonly confidence: number };
  /** `debate` and `refine` where it asks which design is meant. */
  readonly state: 'understand' | 'debate' | 'refine';
}

export interface DesignsPresentedEvent {
  readonly type: 'designs_presented';
  readonly content: string;
  readonly designs: readonly Design[];
  readonly state: 'debate';
  readonly round: number;
  readonly force_decision?: true;
  readonly critiques?: readonly Critique[];
}

export interface PlanGeneratedEvent {
  readonly type: 'plan_generated';
  readonly content: string;
  readonly pipeline_id: PipelineId;
  readonly selected_design: Design;
  readonly state: 'plan';
  readonly discussion_summary: DiscussionSummary;
}

export interface DiscussionSummary {
  readonly total_rounds: number;
  readonly agreements: readonly string[];
  readonly preferences: Readonly<Record<string, string>>;
}

/** An `error` of the discussion engine; the gateway's own errors are never stored. */
export interface ErrorEvent {
  readonly type: 'error';
  readonly content: string;
  readonly state: string;
  readonly valid_events?: readonly string[];
}

export type PipelineEvent =
  | {
      readonly type: 'pipeline_started';
      readonly design_name: string;
      readonly agent_count: number;
      readonly pipeline_id: PipelineId;
    }
  | {
      readonly type: 'agent_completed';
      readonly agent_name: string;
      readonly status: AgentStatus;
      /** seconds, 2 decimals */
      readonly duration: number;
      readonly pipeline_id: PipelineId;
      /** Its key in the graph; absent in events of before 0.3. */
      readonly node?: string;
      /** As in `AgentResult`. */
      readonly truncated?: true;
    }
  | {
      readonly type: 'pipeline_failed';
      readonly reason: 'timeout' | 'internal_error';
      readonly pipeline_id: PipelineId;
    }
  | {
      readonly type: 'pipeline_result';
      readonly content: string;
      readonly result: PipelineResult;
      readonly pipeline_id: PipelineId;
    };

/** What the contract's clients do not know: stored like any other event. */
export type WaitEvent =
  | {
      readonly type: 'approval_requested';
      readonly pipeline_id: PipelineId;
      readonly node: string;
      readonly agent_name: string;
      /** ISO 8601, UTC; after it, `on_timeout` is the decision. */
      readonly deadline: string;
      readonly on_timeout: 'approve' | 'reject';
    }
  | {
      readonly type: 'approval_decided';
      readonly pipeline_id: PipelineId;
      readonly node: string;
      readonly agent_name: string;
      readonly decision: 'approved' | 'rejected';
      readonly decided_by: 'user' | 'deadline';
    }
  | {
      readonly type: 'pipeline_waiting';
      readonly pipeline_id: PipelineId;
      readonly reason: WaitReason;
    }
  | { readonly type: 'pipeline_resumed'; readonly pipeline_id: PipelineId }
  /** No provider that an agent may use can be called before then. */
  | ({ readonly type: 'agent_waiting'; readonly pipeline_id: PipelineId } & AgentWait);

/** An event with its place in its stream, exactly as a client receives it. */
export type StoredEvent = StreamEvent & {
  /** 1, 2, 3 … without gaps per stream. */
  readonly seq: number;
  /** ISO 8601, UTC with offset */
  readonly timestamp: string;
  /** Absent for a run without a conversation. */
  readonly conversation_id?: ConversationId;
};

/**
 * What goes on inside an agent, for those who asked for extended events. It is published, never stored:
 * without `seq`, over Redis alone, and it may be missing; the agent's result is in the run's.
 */
export type LiveEvent = AgentStartedEvent | AgentDeltaEvent;

interface AtWork {
  readonly pipeline_id: PipelineId;
  readonly agent_name: string;
  /** The agent's key in the graph; names may repeat, nodes do not. */
  readonly node: string;
  /** ISO 8601, UTC with offset */
  readonly timestamp: string;
  readonly conversation_id?: ConversationId;
  readonly seq?: never;
}

/** An agent has begun, or begun anew: what came of its reply before is void. */
export interface AgentStartedEvent extends AtWork {
  readonly type: 'agent_started';
  readonly role: string;
  /** As the design names it; who answers may be another one. */
  readonly model: string;
  /** 1, 2, 3 … */
  readonly attempt: number;
}

/** A piece of the reply in the making. */
export interface AgentDeltaEvent extends AtWork {
  readonly type: 'agent_delta';
  /** Which reply: a retry or fail-over begins another one, and the one before is void. */
  readonly reply: string;
  /** Where in the reply the piece begins, in UTF-16 code units; no pair of surrogates is split. */
  readonly offset: number;
  readonly text: string;
}

/** All that a client may receive of a stream. */
export type ClientEvent = StoredEvent | LiveEvent;

/** Only for clients that ask for extended events (decision 11). */
export type ExtendedEvent = WaitEvent | LiveEvent;

/** The types that every client of the contract knows. Source: contract, websocket §3. */
const KNOWN_TO_ALL: Readonly<Record<Exclude<StreamEvent['type'], ExtendedEvent['type']>, true>> = {
  user_message_received: true,
  clarification: true,
  designs_presented: true,
  critique_complete: true,
  plan_generated: true,
  security_warning: true,
  error: true,
  pipeline_started: true,
  agent_completed: true,
  pipeline_failed: true,
  pipeline_result: true,
};

/**
 * Whether an event is only for those who asked for extended events, stored or not: any type that
 * the contract does not know, also one that only a newer release knows.
 */
export function isExtended({ type }: { readonly type: string }): boolean {
  return !Object.hasOwn(KNOWN_TO_ALL, type);
}

/** Clients of the contract parse the offset `+00:00`; some do not know `Z`. */
export function timestampOf(date: Date): string {
  return date.toISOString().replace('Z', '+00:00');
}
