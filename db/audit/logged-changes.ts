/** What others than its user do to an account, each together with its line in the log. */
import type { UserId } from '../../domain/ids.js';
import type { Role } from '../../domain/account/permissions.js';
import { recordAdminAction } from './admin-actions.js';
import type { Db } from '../connect.js';
import { inTransaction } from '../transactions.js';
import { closeAccount } from '../users/user-deletion.js';
import { setUserRole, type UserRow } from '../users/users.js';

export interface Actor {
  /** null: a command on the server, without a signed-in user. */
  readonly id: UserId | null;
  /** The system's user who ran the command. */
  readonly by?: string;
}

/** @returns undefined without such a user */
export async function changeRoleAs(
  db: Db,
  { id: actorId, ...who }: Actor,
  { userId, role }: { readonly userId: UserId; readonly role: Role },
): Promise<{ user: UserRow; before: Role } | undefined> {
  return inTransaction(db, async (tx) => {
    const changed = await setUserRole(tx, { userId, role });
    if (changed !== undefined) {
      await recordAdminAction(tx, {
        actorId,
        action: 'user:set-role',
        subject: `user:${changed.user.id}`,
        details: { before: changed.before, after: role, ...who },
      });
    }
    return changed;
  });
}

/** @returns false if there is no such account, or it is closed already */
export async function closeAccountAs(
  db: Db,
  { id: actorId, ...who }: Actor,
  userId: UserId,
): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const isClosed = await closeAccount(tx, userId, new Date());
    if (isClosed && actorId !== userId) {
      const subject = `user:${userId}`;
      await recordAdminAction(tx, { actorId, action: 'user:delete', subject, details: who });
    }
    return isClosed;
  });
}
