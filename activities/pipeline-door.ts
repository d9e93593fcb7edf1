/** What a worker tells a run that waits. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { pipelineWorkflowId, type PipelineId } from '../domain/ids.js';
import { slotGrantedSignal } from '../workflows/pipeline.messages.js';

export interface PipelineDoor {
  /** A run that has ended meanwhile needs no telling. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
}

/** What a silent connection does not take by then is told again by the reconciler. */
const TIMEOUT_MS = 5_000;

export function createPipelineDoor(client: Client, timeoutMs = TIMEOUT_MS): PipelineDoor {
  return {
    async tellSlotGranted(pipelineId) {
      try {
        await client.withDeadline(Date.now() + timeoutMs, () =>
          client.workflow.getHandle(pipelineWorkflowId(pipelineId)).signal(slotGrantedSignal),
        );
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) {
          throw error;
        }
      }
    },
  };
}
