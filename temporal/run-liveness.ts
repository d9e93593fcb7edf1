import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { pipelineWorkflowId, type PipelineId } from '../domain/ids.js';

/** What became of a run's workflow; `missing` also long after its end. */
export type RunLiveness = 'running' | 'closed' | 'missing';

/** @throws while the server does not answer */
export async function readLiveness(client: Client, pipelineId: PipelineId): Promise<RunLiveness> {
  try {
    const { status } = await client.workflow.getHandle(pipelineWorkflowId(pipelineId)).describe();
    return status.name === 'RUNNING' ? 'running' : 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      return 'missing';
    }
    throw error;
  }
}
