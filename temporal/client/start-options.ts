/** How our workflows are started, by whichever process starts them: ids, policies, what operators see. */
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  type SearchAttributePair,
} from '@temporalio/common';
import {
  archivesWorkflowId,
  archiveWorkflowId,
  closeRunWorkflowId,
  discussionWorkflowId,
  userDeletionWorkflowId,
  type ConversationId,
  type PipelineId,
  type UserId,
} from '../../domain/ids.js';
import type { Role } from '../../domain/account/permissions.js';
import { lastPriorityOf, priorityOf } from '../../domain/run/priorities.js';
import { runStartOf, WORKFLOW_TASK_TIMEOUT } from '../../domain/run/start.js';
import type { SearchAttributeName } from '../../domain/run/search-attributes.js';

export interface Starter {
  readonly userId: UserId;
  readonly role: Role;
}

/** A discussion may end after a long idle time and be revived under the same id. */
export function discussionStart(
  conversationId: ConversationId,
  { userId, role }: Starter,
  taskQueue: string,
) {
  return {
    workflowId: discussionWorkflowId(conversationId),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'Discussion',
    staticDetails: [
      `- **Conversation** \`${conversationId}\``,
      `- **User** \`${userId}\` (${role})`,
    ].join('\n'),
    typedSearchAttributes: attributesOf({
      AgentForgeUserId: userId,
      AgentForgeConversationId: conversationId,
      AgentForgeTier: role,
    }),
    priority: priorityOf({ id: userId, role }),
  } as const;
}

/** A run without a discussion. It has one workflow, ever: a repeated start is the same run. */
export function pipelineStart(
  run: { pipelineId: PipelineId; designName: string },
  { userId, role }: Starter,
  taskQueue: string,
) {
  const { pipelineId, designName } = run;
  const { attributes, ...start } = runStartOf({
    ...{ pipelineId, designName, userId, role },
    conversationId: null,
  });
  return {
    ...start,
    taskQueue,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    typedSearchAttributes: attributesOf(attributes),
  } as const;
}

/**
 * A repeated order is the same deletion. One that failed, or was terminated from outside, may be
 * begun again.
 */
export function userDeletionStart(userId: UserId, taskQueue: string) {
  return {
    workflowId: userDeletionWorkflowId(userId),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'Deletion of a user',
    typedSearchAttributes: attributesOf({ AgentForgeUserId: userId }),
  } as const;
}

/** Repeated while it is at work, it is the same order; later it finds the run ended. */
export function closeRunStart(
  { pipelineId, userId }: { readonly pipelineId: PipelineId; readonly userId: UserId },
  taskQueue: string,
) {
  return {
    workflowId: closeRunWorkflowId(pipelineId),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'End of a run without a workflow',
    typedSearchAttributes: attributesOf({ AgentForgeUserId: userId }),
  } as const;
}

/** The archive of one run in Temporal of a discussion, behind everything else. */
export function discussionArchiveStart(
  run: { readonly runId: string; readonly userId: UserId },
  taskQueue: string,
) {
  return {
    workflowId: archiveWorkflowId(run.runId),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'Archive of a discussion',
    typedSearchAttributes: attributesOf({ AgentForgeUserId: run.userId }),
    priority: lastPriorityOf(run.userId),
  } as const;
}

/** Archives of runs, behind everything else. One that is at work gets a signal; otherwise another one begins. */
export function archivesStart(taskQueue: string) {
  return {
    workflowId: archivesWorkflowId(taskQueue),
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    staticSummary: 'Archives of runs that have ended',
    priority: lastPriorityOf('archives'),
  } as const;
}

/** Each check of a vendor key is a workflow of its own. */
export function keyCheckStart(
  { userId, keyId }: { userId: UserId; keyId: string },
  { checkId, taskQueue }: { checkId: string; taskQueue: string },
) {
  return {
    workflowId: `validate-key-${keyId}-${checkId}`,
    taskQueue,
    workflowExecutionTimeout: '1m',
    staticSummary: 'Check of a vendor key',
    typedSearchAttributes: attributesOf({ AgentForgeUserId: userId }),
  } as const;
}

function attributesOf(
  values: Readonly<Partial<Record<SearchAttributeName, string>>>,
): TypedSearchAttributes {
  const pairs: SearchAttributePair[] = Object.entries(values).map(([name, value]) => ({
    key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
    value,
  }));
  return new TypedSearchAttributes(pairs);
}
