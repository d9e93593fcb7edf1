/**
 * The slot of a user: at most one run works at a time. A run that waits gives it back and queues
 * for it again. The transaction that releases it passes it to the run that waits longest.
 * Locks are taken in one order: the user, the run, the run that gets its slot, the conversation, the
 * stream.
 */
import { DomainError } from '../../domain/errors.js';
import type { PipelineId, UserId } from '../../domain/ids.js';
import { isFinal, type WaitReason } from '../../domain/run/results.js';
import type { Db, Tx } from '../connect.js';
import { TRUE } from '../index-conditions.js';

/**
 * Locks the run's owner, so that slots are given and taken one after the other.
 *
 * @throws `not-found`
 */
export async function lockOwner(tx: Tx, pipelineId: PipelineId): Promise<UserId> {
  const owner = await ownerOf(tx, pipelineId).executeTakeFirst();
  if (owner === undefined) {
    throw new DomainError('not-found', `pipeline ${pipelineId} does not exist`);
  }
  return owner.id;
}

/** The run's owner, locked. @returns the query, to be part of another one */
export function ownerOf(tx: Pick<Tx, 'selectFrom'>, pipelineId: PipelineId) {
  return tx
    .selectFrom('users')
    .select('id')
    .where('id', '=', (query) =>
      query.selectFrom('pipelineExecutions').select('userId').where('id', '=', pipelineId),
    )
    .forNoKeyUpdate();
}

/**
 * Gives a free slot to the run that has queued longest. The owner is locked and the slot is free.
 *
 * @returns that run, to be signalled; null if none queues
 */
async function passLockOn(tx: Tx, userId: UserId): Promise<PipelineId | null> {
  const next = await passingLockOn(tx, userId).executeTakeFirst();
  return next?.id ?? null;
}

/** @returns the statement of `passLockOn`, to be part of another one */
export function passingLockOn(tx: Tx, userId: UserId) {
  return tx
    .updateTable('pipelineExecutions')
    .set({ holdsSlot: true })
    .where('id', '=', (query) =>
      query
        .selectFrom('pipelineExecutions')
        .select('id')
        .where('userId', '=', userId)
        .where('waitingFor', '=', 'slot')
        .where('holdsSlot', '=', false) // not the one who ends without having used it
        .orderBy('waitingSince')
        .orderBy('id')
        .limit(1),
    )
    .returning('id');
}

/**
 * Grants a free lock to a run that queues for one, where its release did not.
 *
 * @returns the run that has it now, to be signalled; null if the run does not queue, or the slot is held
 */
export async function passLostLockOn(tx: Tx, pipelineId: PipelineId): Promise<PipelineId | null> {
  const userId = await lockOwner(tx, pipelineId);
  const { waitingFor } = await lockWaiter(tx, pipelineId);
  return waitingFor !== 'slot' || (await isActiveRunLocked(tx, userId))
    ? null
    : passLockOn(tx, userId);
}

export type Suspension =
  { readonly kind: 'parked'; readonly grantedTo: PipelineId | null } | { readonly kind: 'ended' };

/** Marks a run as waiting and gives its slot back; called again, it only changes the reason. */
export async function suspendRun(
  tx: Tx,
  { pipelineId, reason, now }: { pipelineId: PipelineId; reason: WaitReason; now: Date },
): Promise<Suspension> {
  const userId = await lockOwner(tx, pipelineId);
  const run = await lockWaiter(tx, pipelineId);
  if (isFinal(run.status)) {
    return { kind: 'ended' };
  }
  await tx
    .updateTable('pipelineExecutions')
    .set({ waitingFor: reason, waitingSince: now, holdsSlot: false })
    .where('id', '=', pipelineId)
    .execute();
  return { kind: 'parked', grantedTo: run.holdsSlot ? await passLockOn(tx, userId) : null };
}

/** Takes the slot if it is free or was handed to the run; else the run queues for it. */
export async function takeSlot(
  tx: Tx,
  { pipelineId, now }: { pipelineId: PipelineId; now: Date },
): Promise<'taken' | 'queued' | 'ended'> {
  const userId = await lockOwner(tx, pipelineId);
  const run = await lockWaiter(tx, pipelineId);
  if (isFinal(run.status)) {
    return 'ended';
  }
  const isFree = run.holdsSlot || !(await isActiveRunLocked(tx, userId));
  if (!isFree && run.waitingFor === 'slot') {
    return 'queued'; // and keeps its place
  }
  await tx
    .updateTable('pipelineExecutions')
    .set(
      isFree
        ? { waitingFor: null, waitingSince: null, holdsSlot: true }
        : { waitingFor: 'slot', waitingSince: now },
    )
    .where('id', '=', pipelineId)
    .execute();
  return isFree ? 'taken' : 'queued';
}

async function isActiveRunLocked(tx: Tx, userId: UserId): Promise<boolean> {
  return (await activeRunLockHolder(tx, userId).executeTakeFirst()) !== undefined;
}

/** The run that works now. @returns the query, to be part of another one */
export function activeRunLockHolder(tx: Tx, userId: UserId) {
  return tx
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', userId)
    .where('holdsSlot', '=', TRUE);
}

/** A user's runs that wait for the day's budget, or are about to. */
export async function findRunsOnBudget(db: Db, userId: UserId): Promise<readonly PipelineId[]> {
  const runs = await db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', userId)
    .where('onBudget', '=', 'pause')
    .where('status', '=', 'running')
    .execute();
  return runs.map(({ id }) => id);
}

async function lockWaiter(tx: Tx, pipelineId: PipelineId) {
  return tx
    .selectFrom('pipelineExecutions')
    .select(['status', 'holdsSlot', 'waitingFor'])
    .where('id', '=', pipelineId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}
