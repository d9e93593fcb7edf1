/** Ids are random v4 UUIDs in canonical form; these names only say what an id is of. */
export type UserId = string;
export type ConversationId = string;
export type PipelineId = string;
/** Made by the API for each user message; also the id of its `messages` row. */
export type MessageId = string;
/** The conversation, or the pipeline for a run that has no conversation. */
export type StreamId = string;

export function toStreamId(run: {
  readonly pipelineId: PipelineId;
  readonly conversationId: ConversationId | null;
}): StreamId {
  return run.conversationId ?? run.pipelineId;
}

/**
 * Names one unit of paid work: `<pipeline or turn id>:<node or purpose>:<iteration>`. A reply is
 * stored once per step, so a retry finds it instead of paying again.
 */
export type StepId = string;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function discussionWorkflowId(conversationId: ConversationId): string {
  return `discussion-${conversationId}`;
}

/** @returns null for a workflow that is no discussion */
export function conversationIdIn(workflowId: string): ConversationId | null {
  const id = workflowId.replace(/^discussion-/, '');
  return id !== workflowId && isUuid(id) ? id : null;
}

export function pipelineWorkflowId(pipelineId: PipelineId): string {
  return `pipeline-${pipelineId}`;
}

/** @returns null for a workflow that is no run */
export function pipelineIdIn(workflowId: string): PipelineId | null {
  const id = workflowId.replace(/^pipeline-/, '');
  return id !== workflowId && isUuid(id) ? id : null;
}

/** One per user, ever: an order that is repeated is the same deletion. */
export function userDeletionWorkflowId(userId: UserId): string {
  return `user-deletion-${userId}`;
}

/** @param id of a discussion's run in Temporal; up to 0.4.0 also of a pipeline */
export function archiveWorkflowId(id: string): string {
  return `archive-${id}`;
}

/** Of what ends a run that no workflow of its own can end. */
export function closeRunWorkflowId(pipelineId: PipelineId): string {
  return `close-run-${pipelineId}`;
}

/** One at a time makes the archives of runs; products that share a namespace have their own. */
export function archivesWorkflowId(taskQueue: string): string {
  return `${taskQueue}-archives`;
}

/**
 * @param owner pipeline id, or message id of a turn
 * @param work node name for a pipeline, purpose (`intent`, `designs`, `critiques`) for a turn
 */
export function stepIdOf(owner: string, work: string, iteration = 0): StepId {
  return `${owner}:${work}:${iteration}`;
}

/** The step that repairs another one's answer: the same work, its next iteration. */
export function repairStepOf(stepId: StepId): StepId {
  const end = stepId.lastIndexOf(':') + 1;
  return `${stepId.slice(0, end)}${Number(stepId.slice(end)) + 1}`;
}
