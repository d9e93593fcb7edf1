/** `npm run user:role -- <email> <role>`: makes the first administrator, and any later change. */
import { userInfo } from 'node:os';
import { recordAdminAction } from '../db/admin-actions.js';
import type { Db } from '../db/connect.js';
import { inTransaction } from '../db/transactions.js';
import { findUserByEmail, setUserRole, type UserRow } from '../db/users.js';
import { ROLES, isRole, type Role } from '../domain/permissions.js';
import { createLogger } from '../telemetry/logger.js';
import { operatorEnvironment, runCommand, withDatabase } from './operator/environment.js';

async function changeRole([email = '', role = '', ...rest]: readonly string[]): Promise<void> {
  if (email === '' || role === '' || rest.length > 0) {
    throw new Error('Say who and what: npm run user:role -- ada@example.com admin');
  }
  if (!isRole(role)) {
    throw new Error(`"${role}" is no role: use ${ROLES.join(', ')}.`);
  }
  await withDatabase(operatorEnvironment()['DATABASE_URL'] ?? '', async (db) => {
    const user = await findUserByEmail(db, email.trim());
    const before = user && (await setRole(db, user, role));
    if (user === undefined || before === undefined) {
      throw new Error(`Nobody has registered as ${email}: register first, then run this again.`);
    }
    console.log(
      before === role
        ? `${user.email} was ${role} already.`
        : `${user.email} is ${role} now (was ${before}).`,
    );
  });
}

/** @returns the role before; undefined if the user has gone meanwhile */
async function setRole(db: Db, { id: userId }: UserRow, role: Role): Promise<Role | undefined> {
  const by = userInfo().username;
  const changed = await inTransaction(db, async (tx) => {
    const set = await setUserRole(tx, { userId, role });
    if (set !== undefined) {
      await recordAdminAction(tx, {
        actorId: null,
        action: 'user:set-role',
        subject: `user:${userId}`,
        details: { before: set.before, after: role, by },
      });
    }
    return set;
  });
  if (changed !== undefined) {
    const { before } = changed;
    createLogger('operator').info('role changed', { userId, by, before, after: role });
  }
  return changed?.before;
}

await runCommand(() => changeRole(process.argv.slice(2)));
