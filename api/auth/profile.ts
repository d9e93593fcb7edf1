/** What users change of themselves, and administrators of others. */
import { recordAdminAction } from '../../db/audit/admin-actions.js';
import { changeRoleAs } from '../../db/audit/logged-changes.js';
import { requireCredential } from '../../db/users/credentials.js';
import { revokeSessions } from '../../db/users/refresh-tokens.js';
import { findUser, setUserBudget, updateUser, type UserRow } from '../../db/users/users.js';
import { inTransaction } from '../../db/transactions.js';
import { DomainError } from '../../domain/errors.js';
import type { Role } from '../../domain/account/permissions.js';
import type { Logger } from '../../telemetry/logger.js';
import { InvalidInput } from '../http/schemas/problems.js';
import { credentialOf } from '../http/middleware/authenticate.js';
import type { SignedInUser } from '../http/route.js';
import { attemptsBucket, isUnchanged, matches, type SignInDeps } from './sign-in.js';

export interface ProfileChange {
  readonly displayName: string | undefined;
  readonly currentPassword: string | undefined;
  readonly newPassword: string | undefined;
}

/** A new password needs the current one and ends the user's other sessions. @throws InvalidInput */
export async function changeProfile(
  deps: SignInDeps,
  user: SignedInUser,
  { displayName, currentPassword = '', newPassword }: ProfileChange,
): Promise<UserRow> {
  if (newPassword === undefined) {
    return found(await updateUser(deps.db, { id: user.id, displayName }));
  }
  const compared = await checkPassword(deps, user, currentPassword);
  const hashedPassword = await deps.passwords.hash(newPassword);
  const changed = await inTransaction(deps.db, async (tx) => {
    if (!(await isUnchanged(tx, compared))) {
      throw wrongPassword(); // changed by another session meanwhile
    }
    await requireCredential(tx, credentialOf(user));
    const updated = await updateUser(tx, { id: user.id, displayName, hashedPassword });
    await revokeSessions(tx, { userId: user.id, except: user.sessionId });
    return found(updated);
  });
  await deps.userChanged(user.id);
  return changed;
}

/** Guessing here is limited as at the sign-in, and apart. @returns the account as compared @throws InvalidInput */
export async function checkPassword(
  deps: SignInDeps,
  user: SignedInUser,
  password: string,
): Promise<UserRow> {
  const row = await findUser(deps.db, user.id);
  const bucket = attemptsBucket(deps.config, `password:${guesserOf(user)}`);
  const isRight = await matches(deps, bucket, () =>
    deps.passwords.matches(password, row?.hashedPassword),
  );
  if (row === undefined || !isRight) {
    throw wrongPassword();
  }
  return row;
}

/**
 * A thief's guesses in one session must not keep the owner from changing the password in another.
 * API keys are counted together, since a key makes as many others as it likes.
 */
function guesserOf({ id, sessionId }: SignedInUser): string {
  return sessionId ?? id;
}

/** 401 would sign the client out. */
function wrongPassword(): InvalidInput {
  const msg = 'Value error, Current password is incorrect';
  return new InvalidInput([{ field: 'current_password', msg }]);
}

/** @throws `invalid-input`, `not-found` */
export async function changeRole(
  { db, logger, userChanged }: Pick<SignInDeps, 'db' | 'userChanged'> & { logger: Logger },
  admin: SignedInUser,
  { userId, role }: { userId: string; role: Role },
): Promise<UserRow> {
  if (userId === admin.id) {
    throw new DomainError('invalid-input', 'Cannot change your own role');
  }
  const changed = await changeRoleAs(db, { id: admin.id }, { userId, role });
  if (changed === undefined) {
    throw new DomainError('not-found', 'User not found');
  }
  await userChanged(changed.user.id);
  logger.info('role changed', { adminId: admin.id, userId, before: changed.before, after: role });
  return changed.user;
}

/** Sets what a user may spend a day in place of the role's limit. @throws `not-found` */
export async function changeBudget(
  { db, logger }: { db: SignInDeps['db']; logger: Logger },
  admin: SignedInUser,
  { userId, budgetUsd }: { userId: string; budgetUsd: number | null },
): Promise<UserRow> {
  const request = { userId, budgetUsd: budgetUsd === null ? null : budgetUsd.toFixed(6) };
  const changed = await inTransaction(db, async (tx) => {
    const set = await setUserBudget(tx, request);
    if (set === undefined) {
      throw new DomainError('not-found', 'User not found');
    }
    await recordAdminAction(tx, {
      actorId: admin.id,
      action: 'user:set-budget',
      subject: `user:${set.id}`,
      details: { after: request.budgetUsd },
    });
    return set;
  });
  logger.info('budget changed', { adminId: admin.id, userId, after: request.budgetUsd });
  return changed;
}

function found(user: UserRow | undefined): UserRow {
  if (user === undefined) {
    // deleted since the request was authenticated
    throw new DomainError('not-authenticated', 'User not found');
  }
  return user;
}
