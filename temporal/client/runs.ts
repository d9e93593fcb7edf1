/** Runs whose workflow is running, as Temporal lists them. */
import type { Client } from '@temporalio/client';
import { pipelineIdIn, type PipelineId } from '../../domain/ids.js';

/**
 * The list lags behind a little: who is missing in it has to be asked for.
 *
 * @throws while the server does not answer
 */
export async function listRunningRuns(
  client: Client,
  taskQueue: string,
): Promise<ReadonlySet<PipelineId>> {
  const query = [
    `WorkflowType = 'pipelineWorkflow'`,
    `TaskQueue = '${taskQueue}'`,
    `ExecutionStatus = 'Running'`,
  ].join(' AND ');
  const found = new Set<PipelineId>();
  for await (const { workflowId } of client.workflow.list({ query, pageSize: 1_000 })) {
    const id = pipelineIdIn(workflowId);
    if (id !== null) {
      found.add(id);
    }
  }
  return found;
}
