import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { pipelineWorkflowId, type PipelineId } from '../../domain/ids.js';
import { runStartOf, type RunStart } from '../../domain/run/start.js';
import type { DiscussionState } from '../../domain/discussion/state.js';
import { records } from '../activity-proxies.js';
import type { DiscussionInput } from './discussion.messages.js';
import { pipelineWorkflow } from '../pipeline/pipeline.js';

/**
 * Starts an admitted run as an abandoned child: it outlives this workflow's runs. A run that was
 * started already is left alone, and one that cannot be started now is the reconciler's.
 */
export async function startRun(
  { conversationId, userId, role }: DiscussionInput,
  run: { pipelineId: PipelineId; designName: string },
): Promise<void> {
  const { attributes, ...start } = runStartOf({ ...run, conversationId, userId, role });
  try {
    await startChild(pipelineWorkflow, {
      ...start,
      args: [{ pipelineId: run.pipelineId, userId, conversationId }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      typedSearchAttributes: pairsOf(attributes),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      log.error('run not started', { pipelineId: run.pipelineId, error: String(error) });
    }
  }
}

function pairsOf(attributes: RunStart['attributes']) {
  return Object.entries(attributes).map(([name, value]) => ({
    key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
    value,
  }));
}

export async function startIfPending(
  input: DiscussionInput,
  pipelineId: PipelineId,
): Promise<{ isActive: boolean }> {
  const run = await records.readRun({ pipelineId });
  if (run.isPending) {
    await startRun(input, { pipelineId, designName: run.designName });
  }
  return run;
}

/** Takes a run that the API (or the reconciler, repeating it) has admitted for this discussion. */
export async function startAdmittedRun(
  input: DiscussionInput,
  before: DiscussionState,
  pipelineId: PipelineId,
): Promise<DiscussionState> {
  const { isActive } = await startIfPending(input, pipelineId);
  const isKnown = before.run?.kind === 'admitted' && before.run.pipelineId === pipelineId;
  if (!isActive || isKnown) {
    return before;
  }
  const state: DiscussionState = {
    ...before,
    version: before.version + 1,
    run: { kind: 'admitted', pipelineId, ended: false },
  };
  const { conversationId, userId } = input;
  await records.saveTalk({ conversationId, userId, state });
  return state;
}

/** A run between its admission and its start is there in a moment. */
const CANCEL_TRIES = 5;
const CANCEL_WAIT_MS = 1_000;

/** Asks a run to stop; one that has not begun is closed, one that has ended needs no asking. */
export async function cancelRun(pipelineId: PipelineId): Promise<void> {
  for (let attempt = 0; attempt < CANCEL_TRIES; attempt += 1) {
    if (await askToStop(pipelineId)) {
      return;
    }
    await records.closeRun({ pipelineId, outcome: { kind: 'cancelled' }, onlyPending: true });
    if (!(await records.readRun({ pipelineId })).isActive) {
      return;
    }
    await sleep(CANCEL_WAIT_MS, { summary: 'until the run can be cancelled' });
  }
}

/** @returns false if there is no such workflow to ask, now */
async function askToStop(pipelineId: PipelineId): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(pipelineId)).cancel();
    return true;
  } catch {
    return false; // the server's only reason to refuse a cancellation
  }
}
