/** Ordering that a user be deleted: accepted when the account is closed; a workflow does the rest. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Db } from '../../db/connect.js';
import { closeAccountAs } from '../../db/audit/logged-changes.js';
import { userExists } from '../../db/users/user-deletion.js';
import type { UserId } from '../../domain/ids.js';
import type { Bus } from '../../events/bus.js';
import type { Temporal } from '../../temporal/client/timeouts.js';
import { startUserDeletion } from '../../temporal/client/users.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Workflows } from '../deps.js';

export async function requestUserDeletion(
  deps: { temporal: Temporal; bus: Bus; logger: Logger },
  userId: UserId,
): Promise<void> {
  await deps.bus.publishUserGone(userId);
  try {
    await startUserDeletion(deps.temporal, userId);
  } catch (error) {
    deps.logger.warn('a deletion waits for the reconciler', { userId, error });
  }
}

export interface DeletionDeps {
  readonly db: Db;
  readonly logger: Logger;
  readonly workflows: Pick<Workflows, 'startUserDeletion'>;
  readonly deletionWaitMs?: number;
}

/** Most users have little to remove and nothing under way. */
const WAIT_MS = 3_000;
const POLL_MS = 50;

/**
 * Closes the account at once and has everything of its user's removed.
 *
 * @returns `gone` if that was a matter of seconds, `no-such-user` also while one is being deleted
 */
export async function deleteUser(
  { db, logger, workflows, deletionWaitMs = WAIT_MS }: DeletionDeps,
  { userId, by }: { userId: UserId; by: UserId },
): Promise<'gone' | 'going' | 'no-such-user'> {
  if (!(await closeAccountAs(db, { id: by }, userId))) {
    return 'no-such-user';
  }
  logger.info('user deletion ordered', { userId, by });
  await workflows.startUserDeletion(userId);
  const deadline = Date.now() + deletionWaitMs;
  while (await userExists(db, userId)) {
    if (Date.now() > deadline) {
      return 'going';
    }
    await pause(POLL_MS);
  }
  return 'gone';
}
