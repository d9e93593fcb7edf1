/** Runs of discussions that have closed, as Temporal lists them. */
import type { Client } from '@temporalio/client';
import { conversationIdIn } from '../../domain/ids.js';

export interface ClosedDiscussion {
  readonly conversationId: string;
  readonly runId: string;
}

/** Only those of our workers' queue: products may share a namespace. @throws while the server does not answer */
export async function* listClosedDiscussions(
  client: Client,
  { taskQueue, since }: { taskQueue: string; since: Date },
): AsyncIterable<ClosedDiscussion> {
  const query = [
    `WorkflowType = 'discussionWorkflow'`,
    `TaskQueue = '${taskQueue}'`,
    `ExecutionStatus != 'Running'`,
    `CloseTime > '${since.toISOString()}'`,
  ].join(' AND ');
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const conversationId = conversationIdIn(workflowId);
    if (conversationId !== null) {
      yield { conversationId, runId };
    }
  }
}
