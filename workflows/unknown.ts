import { ApplicationFailure } from '@temporalio/common';
import { workflowInfo } from '@temporalio/workflow';

/** Without it, the task of a workflow of an unknown type would be repeated for ever. */
export function unknownWorkflow(): Promise<never> {
  const { workflowType } = workflowInfo();
  return Promise.reject(
    ApplicationFailure.nonRetryable(`no workflow ${workflowType.slice(0, 80)}`, 'rejected'),
  );
}
