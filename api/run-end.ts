/** Ending runs: asked of their workflows where these live, written down here where they do not. */
import { findChatAccess } from '../db/chat-access.js';
import { closeRun, readRunById, type ClosedRun } from '../db/pipelines.js';
import { handLostSlotOn } from '../db/slots.js';
import { inTransaction } from '../db/transactions.js';
import { DomainError } from '../domain/errors.js';
import type { PipelineId } from '../domain/ids.js';
import { isFinal } from '../domain/results.js';
import type { RunOutcome } from '../domain/result-rules.js';
import { announceEvents } from '../events/announce.js';
import { notifyRunEnded } from '../temporal/client/discussions.js';
import { cancelRun, readRunLiveness } from '../temporal/client/runs.js';
import type { Release } from './deps.js';
import { createRunControl } from './run-control.js';
import type { WorkflowsDeps } from './workflows.js';

const CANCEL_TRIES = 3;

/**
 * Asks the run's workflow to end, or ends a run here that no workflow has taken yet. One that is
 * taken in between is asked again; one whose workflow is gone is left to the reconciler.
 */
export async function endRun(deps: WorkflowsDeps, pipelineId: PipelineId): Promise<void> {
  for (let tries = 0; tries < CANCEL_TRIES; tries += 1) {
    if ((await askToEnd(deps, pipelineId)) === 'asked') {
      return;
    }
    const closed = await closeHere(deps, pipelineId, {
      outcome: { kind: 'cancelled' },
      onlyPending: true,
    });
    if (closed !== 'left-running') {
      return;
    }
  }
}

/** @throws `unavailable` while Temporal is away */
async function askToEnd(
  { temporal }: WorkflowsDeps,
  pipelineId: PipelineId,
): Promise<'asked' | 'no-workflow'> {
  try {
    return await cancelRun(temporal, pipelineId);
  } catch (cause) {
    throw new DomainError('unavailable', 'The run cannot be reached now, try again', { cause });
  }
}

async function closeHere(
  deps: WorkflowsDeps,
  pipelineId: PipelineId,
  how: { readonly outcome: RunOutcome; readonly onlyPending: boolean },
): Promise<ClosedRun['kind']> {
  const closed = await inTransaction(deps.db, (tx) =>
    closeRun(tx, { pipelineId, ...how, isUnreported: true, now: new Date() }),
  );
  if (closed.kind === 'closed') {
    await announceEvents(deps, closed.conversationId ?? pipelineId, closed.events);
    if (closed.grantedTo !== null) {
      await createRunControl(deps).tellSlotGranted(closed.grantedTo);
    }
    await notifyEnded(deps, closed, pipelineId);
  }
  return closed.kind;
}

/** A signal that fails costs nothing but time: the run's record says that it has ended. */
async function notifyEnded(
  deps: WorkflowsDeps,
  { conversationId, userId }: ClosedRun,
  pipelineId: PipelineId,
): Promise<void> {
  if (conversationId === null) {
    return;
  }
  try {
    const access = await findChatAccess(deps.db, conversationId, userId);
    if (access !== null) {
      const { role } = access;
      await notifyRunEnded(deps.temporal, { conversationId, userId, role, pipelineId });
    }
  } catch (error) {
    deps.logger.warn('a discussion was not told of the end of its run', { pipelineId, error });
  }
}

/**
 * Lets go of a run that makes no progress by itself: hands on a slot that nobody holds, asks its
 * workflow to end where there is one, and ends it here where there is none.
 *
 * @returns null without such a run
 * @throws `run-ended`, `unavailable`
 */
export async function releaseRun(
  deps: WorkflowsDeps,
  pipelineId: PipelineId,
): Promise<Release | null> {
  const run = await readRunById(deps.db, pipelineId);
  if (run === null) {
    return null;
  }
  if (isFinal(run.status)) {
    throw new DomainError('run-ended', `The run has ended: ${run.status}`);
  }
  if ((await livenessOf(deps, pipelineId)) !== 'running') {
    const isPending = run.status === 'pending';
    const closed = await closeHere(deps, pipelineId, {
      outcome: { kind: isPending ? 'cancelled' : 'internal' },
      onlyPending: isPending,
    });
    if (closed !== 'left-running') {
      return 'closed';
    } // else its workflow has begun meanwhile
  }
  const granted = await inTransaction(deps.db, (tx) => handLostSlotOn(tx, pipelineId));
  if (granted !== null) {
    await createRunControl(deps).tellSlotGranted(granted);
    return 'slot-handed-on';
  }
  await endRun(deps, pipelineId);
  return 'asked-to-end';
}

/** @throws `unavailable` while Temporal is away */
async function livenessOf({ temporal }: WorkflowsDeps, pipelineId: PipelineId) {
  try {
    return await readRunLiveness(temporal, pipelineId);
  } catch (cause) {
    throw new DomainError('unavailable', 'The run cannot be reached now, try again', { cause });
  }
}
