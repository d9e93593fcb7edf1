import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ConversationId, MessageId, PipelineId, UserId } from '../../domain/ids.js';
import type { DiscussionMove, DiscussionStateName } from '../../domain/discussion/machine.js';
import type { Role } from '../../domain/account/permissions.js';
import type { DiscussionState } from '../../domain/discussion/state.js';

export interface UserMessage {
  readonly messageId: MessageId;
  readonly content: string;
  /** ISO 8601, UTC; when the API took it. */
  readonly receivedAt: string;
}

/** A message of the user's; accepted as soon as Temporal has acknowledged it. */
export const userMessageSignal = defineSignal<[UserMessage]>('userMessage');

export interface RunNotice {
  readonly pipelineId: PipelineId;
}

/** The API has admitted a run of the confirmed design; the discussion starts it. */
export const runAdmittedSignal = defineSignal<[RunNotice]>('runAdmitted');

/** A run of this discussion has ended; its events are stored already. */
export const pipelineEndedSignal = defineSignal<[RunNotice]>('pipelineEnded');

/** How a discussion stands. Source: contract, discussion §7 (introspection), and what waits. */
export interface DiscussionView {
  readonly state: DiscussionStateName;
  readonly round: number;
  readonly maxRounds: number;
  readonly forceDecision: boolean;
  readonly validEvents: readonly DiscussionMove[];
  readonly hasDesigns: boolean;
  readonly hasCritiques: boolean;
  /** Counts. */
  readonly memorySummary: {
    readonly agreements: number;
    readonly openQuestions: number;
    readonly preferences: number;
    readonly roundsCompleted: number;
  };
  readonly waitingMessages: number;
  readonly pipelineId: PipelineId | null;
}

export const discussionQuery = defineQuery<DiscussionView>('state');

/** Waits and limits, so that tests can shorten them. */
export interface DiscussionLimits {
  /** After this long without a message the workflow ends; the next message revives it. */
  readonly idleMs: number;
  /**
   * Continue as new, between turns, once the history is longer than this many events: short
   * enough that a replay stays cheap.
   */
  readonly maxHistoryEvents: number;
}

export interface DiscussionInput extends DiscussionLimits {
  readonly conversationId: ConversationId;
  readonly userId: UserId;
  /** As it was when the discussion was started; what a run may do is decided at its admission. */
  readonly role: Role;
  /** Carried over continue-as-new; absent at a start or a revival. */
  readonly talk?: DiscussionState;
  /** Work that was waiting at continue-as-new. */
  readonly waiting?: WaitingWork;
}

export interface WaitingWork {
  readonly messages: readonly UserMessage[];
  readonly admitted: readonly RunNotice[];
  readonly ended: readonly RunNotice[];
}
