/** `npm run user:role -- <email> <role>`: makes the first administrator, and any later change. */
import { userInfo } from 'node:os';
import { changeRoleAs } from '../db/audit/logged-changes.js';
import { findUserByEmail } from '../db/users/users.js';
import { ROLES, isRole } from '../domain/account/permissions.js';
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
    const by = userInfo().username;
    const changed = user && (await changeRoleAs(db, { id: null, by }, { userId: user.id, role }));
    if (changed === undefined) {
      throw new Error(`No user is registered as ${email}: register first, then run this again.`);
    }
    const {
      before,
      user: { id: userId, email: address },
    } = changed;
    createLogger('operator').info('role changed', { userId, by, before, after: role });
    console.log(
      before === role
        ? `${address} was ${role} already.`
        : `${address} is ${role} now (was ${before}).`,
    );
  });
}

await runCommand(() => changeRole(process.argv.slice(2)));
