import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ConversationId, PipelineId, UserId } from '../domain/ids.js';
import type { NodeState } from '../domain/pipeline-run.js';
import type { FinalStatus, WaitReason } from '../domain/results.js';

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

/** No further node begins; calls in flight end and are kept. */
export const pauseRunSignal = defineSignal('pauseRun');

export const resumeRunSignal = defineSignal('resumeRun');

/** The owner has decided about a node that waits; what was said is in PostgreSQL, by this id. */
export interface ApprovalOffered {
  readonly node: string;
  readonly offerId: string;
}

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
