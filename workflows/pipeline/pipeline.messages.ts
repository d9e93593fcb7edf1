import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ConversationId, PipelineId, UserId } from '../../domain/ids.js';
import type { NodeState } from '../../domain/run/pipeline-run.js';
import type { FinalStatus, WaitReason } from '../../domain/run/results.js';

/** Ids only: the design and all texts are in PostgreSQL. */
export interface PipelineInput {
  readonly pipelineId: PipelineId;
  readonly userId: UserId;
  readonly conversationId: ConversationId | null;
}

export interface PipelineEnd {
  readonly pipelineId: PipelineId;
  readonly status: FinalStatus;
  readonly totalCostUsd: number;
}

/**
 * What the owner asks of a run is an update. Where no worker takes it in time, a signal with the same
 * argument follows it (docs/decisions/0018): the run acts on whichever comes first, once.
 */
export interface RunRequest {
  readonly requestId: string;
}

/**
 * `done`: the run has acted on it, or was as it is asked to be. `already-decided`: by somebody else, or
 * the deadline. `ended`: nothing changes the run any more. `ignored`: the record knows no such decision.
 */
export const RUN_ANSWERS = ['done', 'already-decided', 'ended', 'ignored'] as const;
export type RunAnswer = (typeof RUN_ANSWERS)[number];

/** No further node begins; calls in flight end and are kept. */
export const pauseRunUpdate = defineUpdate<RunAnswer, [RunRequest]>('pauseRun');
export const resumeRunUpdate = defineUpdate<RunAnswer, [RunRequest]>('resumeRun');
/** Releases up to 0.6.0 send both without a request's id. */
export const pauseRunSignal = defineSignal<[Partial<RunRequest>]>('pauseRun');
export const resumeRunSignal = defineSignal<[Partial<RunRequest>]>('resumeRun');

/** The owner has decided about a node that waits; what was said is in PostgreSQL, by this id. */
export interface ApprovalOffered {
  readonly node: string;
  readonly offerId: string;
}

/** Answered when the decision is recorded. */
export const decideUpdate = defineUpdate<RunAnswer, [ApprovalOffered]>('decide');
export const approvalOfferedSignal = defineSignal<[ApprovalOffered]>('approvalOffered');

/** An administrator has changed what the owner may spend a day. */
export const budgetChangedSignal = defineSignal('budgetChanged');

/** The slot that the run queues for was handed to it. */
export const slotGrantedSignal = defineSignal('slotGranted');

export interface NodeView {
  readonly node: string;
  readonly agentName: string;
  readonly state: NodeState;
}

export interface PipelineView {
  readonly designName: string;
  readonly nodes: readonly NodeView[];
  readonly costUsd: number;
  readonly waitingFor: WaitReason | null;
}

export const pipelineQuery = defineQuery<PipelineView>('state');
