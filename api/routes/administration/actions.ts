/** What administrators do to accounts and runs of others; each leaves its line in their log. */
import { recordAdminAction } from '../../../db/audit/admin-actions.js';
import {
  findListedRun,
  listUnendedRuns,
  type ListedRun,
} from '../../../db/users/administration.js';
import type { Db } from '../../../db/connect.js';
import { inTransaction } from '../../../db/transactions.js';
import { findUnendedRuns } from '../../../db/users/user-deletion.js';
import { approveUser, findUser, setUserDisabled } from '../../../db/users/users.js';
import { DomainError } from '../../../domain/errors.js';
import type { PipelineId, UserId } from '../../../domain/ids.js';
import { isFinal } from '../../../domain/run/results.js';
import { whyStuck, type StuckReason } from '../../../domain/run/stuck.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { RunLiveness } from '../../../temporal/client/runs.js';
import type { AppDeps, Release, Workflows } from '../../deps.js';

export interface AdministrationDeps extends Pick<AppDeps, 'userChanged'> {
  readonly db: Db;
  readonly logger: Logger;
  readonly workflows: Pick<Workflows, 'cancelPipeline' | 'releaseRun' | 'readLiveness'>;
}

export interface AdminRequest {
  readonly adminId: UserId;
  readonly userId: UserId;
}

/**
 * Shuts an account at once: no credential works, connections are closed, runs are ended. Runs that
 * cannot be reached now are the reconciler's.
 *
 * @throws `invalid-input`, `not-found`
 */
export async function disableUser(
  deps: AdministrationDeps,
  { adminId, userId, reason }: AdminRequest & { readonly reason: string },
): Promise<{ readonly ended: number; readonly left: number }> {
  if (userId === adminId) {
    throw new DomainError('invalid-input', 'Cannot disable your own account');
  }
  await inTransaction(deps.db, async (tx) => {
    found(await setUserDisabled(tx, { userId, at: new Date() }));
    const subject = `user:${userId}`;
    const details = { reason };
    await recordAdminAction(tx, { actorId: adminId, action: 'user:disable', subject, details });
  });
  deps.logger.info('user disabled', { adminId, userId });
  await deps.userChanged(userId);
  const runs = await findUnendedRuns(deps.db, userId);
  const ended = await Promise.all(runs.map((pipelineId) => endRun(deps, { userId, pipelineId })));
  return { ended: ended.filter(Boolean).length, left: ended.filter((it) => !it).length };
}

async function endRun(
  { workflows, logger }: AdministrationDeps,
  { userId, pipelineId }: { userId: UserId; pipelineId: PipelineId },
): Promise<boolean> {
  try {
    await workflows.cancelPipeline(userId, pipelineId);
    return true;
  } catch (error) {
    logger.warn('a run of a disabled user goes on', { userId, pipelineId, error });
    return false;
  }
}

/** @throws `not-found` */
export async function enableUser(
  { db, logger }: AdministrationDeps,
  { adminId, userId }: AdminRequest,
): Promise<void> {
  await inTransaction(db, async (tx) => {
    found(await setUserDisabled(tx, { userId, at: null }));
    const subject = `user:${userId}`;
    await recordAdminAction(tx, { actorId: adminId, action: 'user:enable', subject });
  });
  logger.info('user enabled', { adminId, userId });
}

/** @throws `not-found`; `conflict` where there is nothing to approve */
export async function approveAccount(
  { db, logger, userChanged }: AdministrationDeps,
  { adminId, userId }: AdminRequest,
): Promise<void> {
  await inTransaction(db, async (tx) => {
    if ((await approveUser(tx, userId)) === undefined) {
      found(await findUser(tx, userId));
      throw new DomainError('conflict', 'The account is approved already');
    }
    const subject = `user:${userId}`;
    await recordAdminAction(tx, { actorId: adminId, action: 'user:approve', subject });
  });
  logger.info('user approved', { adminId, userId });
  await userChanged(userId);
}

function found<T>(user: T | undefined): T {
  if (user === undefined) {
    throw new DomainError('not-found', 'User not found');
  }
  return user;
}

/**
 * The action is logged before it is carried out: Temporal and PostgreSQL share no transaction, and the
 * log must rather name one that came to nothing than miss one.
 *
 * @throws `not-found`, `run-ended`, `unavailable`
 */
export async function releaseRun(
  { db, workflows, logger }: AdministrationDeps,
  { adminId, pipelineId }: { adminId: UserId; pipelineId: PipelineId },
): Promise<Release> {
  const run = await findListedRun(db, pipelineId);
  if (run === undefined) {
    throw new DomainError('not-found', RUN_GONE);
  }
  if (isFinal(run.status)) {
    throw new DomainError('run-ended', `The run has ended: ${run.status}`);
  }
  const subject = `pipeline:${pipelineId}`;
  const details = { status: run.status, waiting_for: run.waitingFor };
  await recordAdminAction(db, { actorId: adminId, action: 'run:release', subject, details });
  const outcome = await workflows.releaseRun(pipelineId);
  if (outcome === null) {
    throw new DomainError('not-found', RUN_GONE);
  }
  logger.info('run released', { adminId, pipelineId, outcome });
  return outcome;
}

const RUN_GONE = 'Pipeline run not found';

export interface StuckRun {
  readonly run: ListedRun;
  readonly why: StuckReason;
  readonly workflow: RunLiveness;
}

/** Younger runs are most likely being started, and the workers mend those of that age themselves. */
const DOUBTFUL_MS = 10_000;
/** How many questions Temporal is asked at once. */
const AT_ONCE = 10;

/**
 * Looks through a page of the runs that have not ended, oldest first.
 *
 * @returns those that make no progress by themselves, and where the next page begins
 * @throws `unavailable` while Temporal is away
 */
export async function findStuck(
  { db, workflows }: AdministrationDeps,
  page: { readonly after?: string | undefined; readonly limit: number },
): Promise<{ readonly stuck: readonly StuckRun[]; readonly next: PipelineId | null }> {
  const olderThan = new Date(Date.now() - DOUBTFUL_MS);
  const runs = await listUnendedRuns(db, { ...page, olderThan });
  const stuck: StuckRun[] = [];
  for (let from = 0; from < runs.length; from += AT_ONCE) {
    const looked = runs.slice(from, from + AT_ONCE).map((run) => look(workflows, run));
    stuck.push(...(await Promise.all(looked)).filter((it) => it !== null));
  }
  return { stuck, next: runs.length < page.limit ? null : (runs.at(-1)?.id ?? null) };
}

async function look(
  workflows: AdministrationDeps['workflows'],
  run: ListedRun,
): Promise<StuckRun | null> {
  const workflow = await livenessOf(workflows, run.id);
  const isSlotTaken = run.isSlotTaken === true;
  const why = whyStuck({ ...run, isSlotTaken, workflow });
  return why === null ? null : { run, why, workflow };
}

async function livenessOf(
  workflows: AdministrationDeps['workflows'],
  pipelineId: PipelineId,
): Promise<RunLiveness> {
  try {
    return await workflows.readLiveness(pipelineId);
  } catch (cause) {
    throw new DomainError('unavailable', 'Temporal does not answer now, try again', { cause });
  }
}
