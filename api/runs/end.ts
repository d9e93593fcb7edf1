/** Ending runs: asked of their workflows where these live, of one that closes them where they do not. */
import { readRunById } from '../../db/runs/runs.js';
import { passLostLockOn } from '../../db/runs/active-run-lock.js';
import { inTransaction } from '../../db/transactions.js';
import { DomainError } from '../../domain/errors.js';
import type { PipelineId } from '../../domain/ids.js';
import { isFinal } from '../../domain/run/results.js';
import {
  cancelRun,
  closeRun,
  readRunLiveness,
  type RunOfUser,
} from '../../temporal/client/runs.js';
import type { Release } from '../deps.js';
import { createRunControl } from './control.js';
import type { WorkflowsDeps } from './workflows.js';

/**
 * Asks the run's workflow to end. One that no workflow has taken yet is ended by another one, which also
 * asks the run's own where that begins in between. Without a worker the end comes later.
 *
 * @throws `unavailable` while Temporal is away
 */
export async function endRun({ temporal }: WorkflowsDeps, run: RunOfUser): Promise<void> {
  await reach(async () => {
    if ((await cancelRun(temporal, run.pipelineId)) === 'no-workflow') {
      await closeRun(temporal, run, 'cancel');
    }
  });
}

/**
 * Unblocks a stuck run: passes on a slot that no run holds, cancels a workflow that lives, and ends the
 * run where there is none.
 *
 * @returns null without such a run
 * @throws `run-ended`, `unavailable`
 */
export async function releaseRun(
  deps: WorkflowsDeps,
  pipelineId: PipelineId,
): Promise<Release | null> {
  const { db, temporal } = deps;
  const row = await readRunById(db, pipelineId);
  if (row === null) {
    return null;
  }
  if (isFinal(row.status)) {
    throw new DomainError('run-ended', `The run has ended: ${row.status}`);
  }
  const run = { pipelineId, userId: row.userId };
  const how = row.status === 'pending' ? 'cancel' : 'fail';
  if ((await reach(() => readRunLiveness(temporal, pipelineId))) !== 'running') {
    const closing = await reach(() => closeRun(temporal, run, how));
    if (closing !== 'active') {
      return closing === 'ended' ? 'closed' : 'asked-to-end';
    } // else its workflow has begun meanwhile
  }
  const granted = await inTransaction(db, (tx) => passLostLockOn(tx, pipelineId));
  if (granted !== null) {
    await createRunControl(deps).tellSlotGranted(granted);
    return 'slot-handed-on';
  }
  await endRun(deps, run);
  return 'asked-to-end';
}

async function reach<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new DomainError('unavailable', 'The run cannot be reached now, try again', { cause });
  }
}
