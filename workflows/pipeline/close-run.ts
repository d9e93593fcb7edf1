/** Ends a run for the API where no workflow of the run's own answers: not begun yet, or terminated from outside. */
import { setCurrentDetails, setWorkflowOptions } from '@temporalio/workflow';
import type { PipelineId } from '../../domain/ids.js';
import { records } from '../activity-proxies.js';
import { MISTAKES } from '../failures.js';
import { cancelRun } from '../discussion/runs.js';

export interface CloseRunInput {
  readonly pipelineId: PipelineId;
  /** `cancel`: also where it begins meanwhile; `fail`: its workflow is gone. */
  readonly how: 'cancel' | 'fail';
}

/** @returns whether the run goes on for now */
export async function closeRunWorkflow(input: CloseRunInput): Promise<{ isActive: boolean }> {
  const { pipelineId, how } = input;
  setCurrentDetails(`**Ends the run** ${pipelineId}, which had no workflow to end it`);
  await (how === 'cancel'
    ? cancelRun(pipelineId)
    : records.closeRun({ pipelineId, outcome: { kind: 'internal' } }));
  const { isActive } = await records.readRun({ pipelineId });
  return { isActive };
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, closeRunWorkflow);
