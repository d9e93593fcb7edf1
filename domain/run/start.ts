import {
  discussionWorkflowId,
  pipelineWorkflowId,
  type ConversationId,
  type PipelineId,
  type UserId,
} from '../ids.js';
import type { Role } from '../account/permissions.js';
import { priorityOf, type TaskPriority } from './priorities.js';
import type { SearchAttributeName } from './search-attributes.js';
import { summaryOf } from './summaries.js';

export interface RunToStart {
  readonly pipelineId: PipelineId;
  readonly conversationId: ConversationId | null;
  readonly designName: string;
  readonly userId: UserId;
  readonly role: Role;
}

/** The input of a run's workflow, for every way to start one. */
export interface RunStart {
  readonly workflowId: string;
  readonly staticSummary: string;
  /** Sealed by the payload codec, like the summary. */
  readonly staticDetails: string;
  readonly attributes: Readonly<Partial<Record<SearchAttributeName, string>>>;
  readonly priority: TaskPriority;
  readonly workflowTaskTimeout: typeof WORKFLOW_TASK_TIMEOUT;
}

/** A lost worker holds a workflow up no longer than this. */
export const WORKFLOW_TASK_TIMEOUT = '5s';

export function runStartOf(run: RunToStart): RunStart {
  const { pipelineId, conversationId, designName, userId, role } = run;
  return {
    workflowId: pipelineWorkflowId(pipelineId),
    staticSummary: summaryOf(`Run: ${designName}`),
    staticDetails: detailsOf(run),
    attributes: {
      AgentForgeUserId: userId,
      AgentForgeTier: role,
      AgentForgeStatus: 'running',
      ...(conversationId === null ? {} : { AgentForgeConversationId: conversationId }),
    },
    priority: priorityOf({ id: userId, role }),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
  };
}

/** What does not change as long as the run lasts; what does, its current details say. */
function detailsOf({ pipelineId, conversationId, userId, role }: RunToStart): string {
  return [
    `- **Run** \`${pipelineId}\``,
    `- **User** \`${userId}\` (${role})`,
    conversationId === null
      ? '- **Started** over HTTP'
      : `- **Conversation** \`${conversationId}\`, workflow \`${discussionWorkflowId(conversationId)}\``,
  ].join('\n');
}
