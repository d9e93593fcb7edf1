/** Workflows of runs: started, signalled, cancelled and asked for. */
import { randomUUID } from 'node:crypto';
import {
  ApplicationFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type WorkflowHandle,
  type WorkflowUpdateHandle,
} from '@temporalio/client';
import type { SignalDefinition, UpdateDefinition } from '@temporalio/common';
import { z } from 'zod';
import {
  pipelineIdIn,
  pipelineWorkflowId,
  type PipelineId,
  type UserId,
} from '../../domain/ids.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import type { CloseRunInput, closeRunWorkflow } from '../../workflows/pipeline/close-run.js';
import { attemptFailedSignal } from '../../workflows/pipeline/attempts.messages.js';
import {
  approvalOfferedSignal,
  budgetChangedSignal,
  decideUpdate,
  pauseRunSignal,
  pauseRunUpdate,
  resumeRunSignal,
  resumeRunUpdate,
  RUN_ANSWERS,
  slotGrantedSignal,
  type ApprovalOffered,
  type PipelineInput,
  type RunAnswer,
} from '../../workflows/pipeline/pipeline.messages.js';
import { closeRunStart, pipelineStart, type Starter } from './start-options.js';
import {
  LONG_CALL_TIMEOUT_MS,
  UPDATE_ANSWER_TIMEOUT_MS,
  UPDATE_TAKEN_TIMEOUT_MS,
  withTimeout,
  type Temporal,
} from './timeouts.js';

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

/** What a run has answered; `sent`: it gets the request as soon as a worker is there. */
export type Answer = RunAnswer | 'sent';

/** @throws WorkflowNotFoundError where the run has not begun or has ended */
export function pauseRun(temporal: Temporal, pipelineId: PipelineId): Promise<Answer> {
  const id = randomUUID();
  const messages = { update: pauseRunUpdate, signal: pauseRunSignal };
  return ask(temporal, pipelineId, { ...messages, id, argument: { requestId: id } });
}

/** @throws WorkflowNotFoundError where the run has not begun or has ended */
export function resumeRun(temporal: Temporal, pipelineId: PipelineId): Promise<Answer> {
  const id = randomUUID();
  const messages = { update: resumeRunUpdate, signal: resumeRunSignal };
  return ask(temporal, pipelineId, { ...messages, id, argument: { requestId: id } });
}

/**
 * Sends what the owner has decided about a node; its row is stored before.
 *
 * @throws WorkflowNotFoundError where the run has not begun or has ended
 */
export function sendDecision(
  temporal: Temporal,
  pipelineId: PipelineId,
  response: ApprovalOffered,
): Promise<Answer> {
  const messages = { update: decideUpdate, signal: approvalOfferedSignal };
  return ask(temporal, pipelineId, { ...messages, id: response.offerId, argument: response });
}

interface Request<T> {
  readonly update: UpdateDefinition<RunAnswer, [T]>;
  readonly signal: SignalDefinition<[T]>;
  /** A repeated request is the same one. */
  readonly id: string;
  readonly argument: T;
}

async function ask<T>(
  temporal: Temporal,
  pipelineId: PipelineId,
  request: Request<T>,
): Promise<Answer> {
  const run = handleOf(temporal, pipelineId);
  const answer = await tryUpdate(temporal, run, request);
  if (answer === null) {
    await withTimeout(temporal, () => run.signal(request.signal, request.argument));
  }
  return answer ?? 'sent';
}

/** @returns null where no worker has taken it in time, or one of a release that knows no updates */
async function tryUpdate<T>(
  temporal: Temporal,
  run: WorkflowHandle,
  { update, id, argument }: Request<T>,
): Promise<Answer | null> {
  const { updateTakenTimeoutMs = UPDATE_TAKEN_TIMEOUT_MS } = temporal;
  const start = () =>
    run.startUpdate(update, { args: [argument], updateId: id, waitForStage: 'ACCEPTED' });
  let taken: WorkflowUpdateHandle<RunAnswer>;
  try {
    taken = await withTimeout(temporal, start, updateTakenTimeoutMs);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      throw error;
    }
    return null;
  }
  try {
    return toAnswer(await withTimeout(temporal, () => taken.result(), UPDATE_ANSWER_TIMEOUT_MS));
  } catch (error) {
    return error instanceof WorkflowUpdateFailedError ? answerIn(error) : 'sent';
  }
}

/** A validator answers by refusing. */
function answerIn({ cause }: WorkflowUpdateFailedError): RunAnswer | null {
  const type = cause instanceof ApplicationFailure ? cause.type : null;
  return RUN_ANSWERS.find((known) => known === type) ?? null;
}

function toAnswer(result: unknown): Answer {
  return RUN_ANSWERS.find((known) => known === result) ?? 'sent';
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
