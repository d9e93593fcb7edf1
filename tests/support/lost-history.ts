import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { until } from './until.js';

function isMissing(error: unknown): true {
  if (error instanceof WorkflowNotFoundError) {
    return true;
  }
  throw error;
}

/** Makes Temporal forget a workflow that has ended, as it does when its retention is over. */
export async function loseHistory(client: Client, workflowId: string): Promise<void> {
  const { namespace } = client.options;
  await client.workflowService.deleteWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
  });
  await until('Temporal has forgotten the workflow', () =>
    client.workflow
      .getHandle(workflowId)
      .describe()
      .then(() => false, isMissing),
  );
}
