/** What a worker does with the workflows of a user who is being deleted. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { pipelineWorkflowId } from '../domain/ids.js';
import { removeUserWorkflows, terminate } from '../temporal/client/users.js';
import type { UserWorkflows } from './user-deletion.js';

export function createUserWorkflows(client: Client): UserWorkflows {
  return {
    async cancelRun(pipelineId) {
      try {
        await client.workflow.getHandle(pipelineWorkflowId(pipelineId)).cancel();
        return 'asked';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) {
          return 'no-workflow';
        }
        throw error;
      }
    },
    terminateRun: (pipelineId) => terminate(client, pipelineWorkflowId(pipelineId)),
    removeAll: (userId) => removeUserWorkflows(client, userId),
  };
}
