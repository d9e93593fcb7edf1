/** Workflows of runs: started, signalled, cancelled and asked for. */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { z } from 'zod';
import {
  pipelineIdIn,
  pipelineWorkflowId,
  type PipelineId,
  type UserId,
} from '../../domain/ids.js';
import type { FailedAttempt } from '../../domain/failed-attempts.js';
import type { CloseRunInput, closeRunWorkflow } from '../../workflows/close-run.js';
import { attemptFailedSignal } from '../../workflows/attempts.messages.js';
import {
  approvalOfferedSignal,
  budgetChangedSignal,
  pauseRunSignal,
  resumeRunSignal,
  slotGrantedSignal,
  type ApprovalOffered,
  type PipelineInput,
} from '../../workflows/pipeline.messages.js';
import { closeRunStart, pipelineStart, type Starter } from './start-options.js';
import { LONG_CALL_TIMEOUT_MS, withTimeout, type Temporal } from './timeouts.js';

/** Starts a run that no discussion starts; one that has been started already stays as it is. */
export async function startRun(
  temporal: Temporal,
  run: Starter & { readonly pipelineId: PipelineId; readonly designName: string },
): Promise<void> {
  const { pipelineId, userId } = run;
  const input: PipelineInput = { pipelineId, userId, conversationId: null };
  try {
    await withTimeout(temporal, () =>
      temporal.client.workflow.start('pipelineWorkflow', {
        ...pipelineStart(run, run, temporal.taskQueue),
        args: [input],
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
  }
}

/** @returns `no-workflow` where it has not begun, has ended, or is long forgotten */
export async function cancelRun(
  temporal: Temporal,
  pipelineId: PipelineId,
): Promise<'asked' | 'no-workflow'> {
  try {
    await withTimeout(temporal, () => handleOf(temporal, pipelineId).cancel());
    return 'asked';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      return 'no-workflow';
    }
    throw error;
  }
}

export interface RunOfUser {
  readonly pipelineId: PipelineId;
  readonly userId: UserId;
}

/**
 * Has a run ended that no workflow of its own can end, and waits a little for it.
 *
 * @returns `ordered`: no worker has done it in time; it is not lost
 * @throws while Temporal is away
 */
export async function closeRun(
  temporal: Temporal,
  run: RunOfUser,
  how: CloseRunInput['how'],
): Promise<'ended' | 'active' | 'ordered'> {
  const { client, taskQueue } = temporal;
  const { pipelineId } = run;
  const closing = await withTimeout(temporal, () =>
    client.workflow.start<typeof closeRunWorkflow>('closeRunWorkflow', {
      ...closeRunStart(run, taskQueue),
      args: [{ pipelineId, how }],
    }),
  );
  try {
    const { isActive } = closedRun.parse(await withTimeout(temporal, () => closing.result()));
    return isActive ? 'active' : 'ended';
  } catch {
    return 'ordered';
  }
}

/** An answer that is not ours is none. */
const closedRun = z.object({ isActive: z.boolean() });

/** Tells a run that the slot it queues for is its own now. A run that has ended needs none. */
export async function notifySlotGranted(temporal: Temporal, pipelineId: PipelineId): Promise<void> {
  await ignoreMissing(
    withTimeout(temporal, () => handleOf(temporal, pipelineId).signal(slotGrantedSignal)),
  );
}

/** Lets a run look again whether the day covers its next call. */
export async function notifyBudgetChanged(
  temporal: Temporal,
  pipelineId: PipelineId,
): Promise<void> {
  await ignoreMissing(
    withTimeout(temporal, () => handleOf(temporal, pipelineId).signal(budgetChangedSignal)),
  );
}

/** @throws WorkflowNotFoundError where the run has not begun or has ended */
export async function pauseRun(temporal: Temporal, pipelineId: PipelineId): Promise<void> {
  await withTimeout(temporal, () => handleOf(temporal, pipelineId).signal(pauseRunSignal));
}

/** @throws WorkflowNotFoundError where the run has not begun or has ended */
export async function resumeRun(temporal: Temporal, pipelineId: PipelineId): Promise<void> {
  await withTimeout(temporal, () => handleOf(temporal, pipelineId).signal(resumeRunSignal));
}

/** @throws WorkflowNotFoundError where the run has not begun or has ended */
export async function decideApproval(
  temporal: Temporal,
  pipelineId: PipelineId,
  offer: ApprovalOffered,
): Promise<void> {
  await withTimeout(temporal, () =>
    handleOf(temporal, pipelineId).signal(approvalOfferedSignal, offer),
  );
}

/** What became of a run's workflow; `missing` also long after its end. */
export type RunLiveness = 'running' | 'closed' | 'missing';

export async function readRunLiveness(
  temporal: Temporal,
  pipelineId: PipelineId,
): Promise<RunLiveness> {
  try {
    const { status } = await withTimeout(temporal, () => handleOf(temporal, pipelineId).describe());
    return status.name === 'RUNNING' ? 'running' : 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      return 'missing';
    }
    throw error;
  }
}

/** The list lags behind a little: what is missing in it has to be asked for singly. */
export async function listRunningRuns(temporal: Temporal): Promise<ReadonlySet<PipelineId>> {
  const query = [
    `WorkflowType = 'pipelineWorkflow'`,
    `TaskQueue = '${temporal.taskQueue}'`,
    `ExecutionStatus = 'Running'`,
  ].join(' AND ');
  const found = new Set<PipelineId>();
  const list = async (): Promise<void> => {
    for await (const { workflowId } of temporal.client.workflow.list({ query, pageSize: 1_000 })) {
      const id = pipelineIdIn(workflowId);
      if (id !== null) {
        found.add(id);
      }
    }
  };
  await withTimeout(temporal, list, temporal.callTimeoutMs ?? LONG_CALL_TIMEOUT_MS);
  return found;
}

/** Shows a failed attempt of an activity to operators. A later report replaces one that was lost. */
export async function reportFailedAttempt(
  temporal: Temporal,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
  failed: FailedAttempt,
): Promise<void> {
  await withTimeout(temporal, () =>
    temporal.client.workflow.getHandle(workflowId, runId).signal(attemptFailedSignal, failed),
  );
}

function handleOf({ client }: Temporal, pipelineId: PipelineId): WorkflowHandle {
  return client.workflow.getHandle(pipelineWorkflowId(pipelineId));
}

async function ignoreMissing(sent: Promise<void>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) {
      throw error;
    }
  }
}
