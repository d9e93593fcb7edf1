/** Accounts. One that is being deleted counts as gone: nothing here finds it. */
import { domainToASCII, domainToUnicode } from 'node:url';
import { sql, type Selectable } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { AWAITING_APPROVAL, type Role } from '../../domain/account/permissions.js';
import { deactivateApiKeys } from './api-keys.js';
import type { Db, Tx } from '../connect.js';
import { revokeSessions } from './refresh-tokens.js';
import type { UsersTable } from '../schema.js';
import { inTransaction } from '../transactions.js';

export type UserRow = Selectable<UsersTable>;

/** @throws `conflict` when the address is taken, in any letter case, also by a parallel call. */
export async function insertUser(
  db: Db,
  user: {
    id: string;
    email: string;
    hashedPassword: string;
    displayName: string;
    awaitingApprovalSince?: Date | null;
  },
): Promise<UserRow> {
  await refuseOtherSpellings(db, user.email);
  const inserted = await db
    .insertInto('users')
    .values(user)
    .onConflict((conflict) => conflict.expression(sql`lower(email)`).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (inserted === undefined) {
    throw new DomainError('conflict', 'Email already registered');
  }
  return inserted;
}

export async function findUser(db: Db, userId: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('id', '=', userId)
    .where('deletedAt', 'is', null)
    .executeTakeFirst();
}

/** As the unique index on addresses sees it: letter case is PostgreSQL's alone to decide. */
export async function spellingOf(db: Db, email: string): Promise<string> {
  const { rows } = await sql<{ spelling: string }>`select lower(${email}) as spelling`.execute(db);
  return rows[0]?.spelling ?? email;
}

/** A domain with more has only its two whole spellings. */
const MAX_SPELLED_LABELS = 4;

/**
 * `u@한국.kr` is `u@xn--3e0b707e.kr`: an address as it is, then with the domain in ASCII, then in
 * its own letters, then with some labels in each. Accounts of earlier releases may have several of
 * them, so the exact one goes first.
 */
function spellingsOf(email: string): readonly string[] {
  const at = email.lastIndexOf('@') + 1;
  const [local, domain] = [email.slice(0, at), email.slice(at)];
  const ascii = domainToASCII(domain);
  const unicode = domainToUnicode(domain);
  const others = [ascii, unicode, ...mixedSpellings(ascii.split('.'), unicode.split('.'))];
  return [email, ...others.filter((it) => it !== '').map((other) => `${local}${other}`)].filter(
    (it, index, all) => all.indexOf(it) === index,
  );
}

/** Each label that has two spellings in either of them. */
function mixedSpellings(ascii: readonly string[], unicode: readonly string[]): readonly string[] {
  const spelled = ascii.filter((label, at) => label !== unicode[at]).length;
  if (spelled < 2 || spelled > MAX_SPELLED_LABELS || ascii.length !== unicode.length) {
    return [];
  }
  return ascii
    .map((label, at) => [...new Set([label, unicode[at] ?? label])])
    .reduce<readonly string[]>(
      (starts, labels) =>
        starts.flatMap((start) =>
          labels.map((label) => (start === '' ? label : `${start}.${label}`)),
        ),
      [''],
    );
}

/** @throws `conflict`; two registrations at once wait for each other until the first commits */
async function refuseOtherSpellings(db: Db, email: string): Promise<void> {
  const spellings = spellingsOf(email);
  if (spellings.length === 1) {
    return;
  }
  const [lock = email] = spellings.toSorted();
  await sql`select pg_advisory_xact_lock(hashtextextended(lower(${lock}), 0))`.execute(db);
  const taken = await db
    .selectFrom('users')
    .select('id')
    .where((where) => where.or(spellings.map((it) => sql<boolean>`lower(email) = lower(${it})`)))
    .executeTakeFirst();
  if (taken !== undefined) {
    throw new DomainError('conflict', 'Email already registered');
  }
}

/** Finds by address without regard to letter case, and to how a domain of other letters is written. */
export async function findUserByEmail(db: Db, email: string): Promise<UserRow | undefined> {
  for (const spelling of spellingsOf(email)) {
    const user = await findBySpelling(db, spelling);
    if (user !== undefined) {
      return user;
    }
  }
  return undefined;
}

async function findBySpelling(db: Db, email: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where(sql<boolean>`lower(email) = lower(${email})`)
    .where('deletedAt', 'is', null)
    .executeTakeFirst();
}

/**
 * Serialises everything that is counted per user; keys and charges of theirs do not wait.
 *
 * @throws `not-found`
 */
export async function lockUser(
  tx: Tx,
  userId: string,
): Promise<Pick<UserRow, 'role' | 'dailyBudgetUsd' | 'disabledAt' | 'awaitingApprovalSince'>> {
  const user = await tx
    .selectFrom('users')
    .select(['role', 'dailyBudgetUsd', 'disabledAt', 'awaitingApprovalSince'])
    .where('id', '=', userId)
    .where('deletedAt', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (user === undefined) {
    throw new DomainError('not-found', `user ${userId} does not exist`);
  }
  return user;
}

/** @throws `not-permitted` of an account that may start nothing */
export function refuseAdmission(user: Pick<UserRow, 'disabledAt' | 'awaitingApprovalSince'>): void {
  if (user.disabledAt !== null) {
    throw new DomainError('not-permitted', 'The account is disabled');
  }
  if (user.awaitingApprovalSince !== null) {
    throw new DomainError('not-permitted', AWAITING_APPROVAL);
  }
}

/**
 * Makes changes of the account's credentials wait until the transaction ends.
 *
 * @returns undefined without such an account
 */
export async function lockAccount(tx: Tx, userId: UserId): Promise<UserRow | undefined> {
  return tx
    .selectFrom('users')
    .selectAll()
    .where('id', '=', userId)
    .where('deletedAt', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** What an administrator has set in place of the role's daily limit, in US dollars, or null. */
export async function readBudget(db: Db, userId: string): Promise<string | null> {
  const user = await db
    .selectFrom('users')
    .select('dailyBudgetUsd')
    .where('id', '=', userId)
    .executeTakeFirst();
  return user?.dailyBudgetUsd ?? null;
}

export async function setUserBudget(
  db: Db,
  { userId, budgetUsd }: { userId: string; budgetUsd: string | null },
): Promise<UserRow | undefined> {
  return db
    .updateTable('users')
    .set({ dailyBudgetUsd: budgetUsd, updatedAt: new Date() })
    .where('id', '=', userId)
    .where('deletedAt', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

export async function updateUser(
  db: Db,
  user: { id: string; displayName?: string | undefined; hashedPassword?: string | undefined },
): Promise<UserRow | undefined> {
  const { id, displayName, hashedPassword } = user;
  return db
    .updateTable('users')
    .set({
      ...(displayName === undefined ? {} : { displayName }),
      ...(hashedPassword === undefined ? {} : { hashedPassword }),
      updatedAt: new Date(),
    })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

/** The same password, hashed anew; one that has been changed meanwhile stays. */
export async function replaceHash(
  db: Db,
  userId: UserId,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  await db
    .updateTable('users')
    .set({ hashedPassword: to })
    .where('id', '=', userId)
    .where('hashedPassword', '=', from)
    .execute();
}

/** @returns the user with the new role and which role it was before. */
export async function setUserRole(
  db: Db,
  { userId, role }: { userId: string; role: Role },
): Promise<{ user: UserRow; before: Role } | undefined> {
  return inTransaction(db, async (tx) => {
    const old = await tx
      .selectFrom('users')
      .select('role')
      .where('id', '=', userId)
      .where('deletedAt', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    const user = await tx
      .updateTable('users')
      .set({
        role,
        updatedAt: new Date(),
        ...(role === 'admin' ? { awaitingApprovalSince: null } : {}), // the first has no other to ask
      })
      .where('id', '=', userId)
      .where('deletedAt', 'is', null)
      .returningAll()
      .executeTakeFirst();
    return old === undefined || user === undefined ? undefined : { user, before: old.role };
  });
}

/** @returns undefined without such an account, or where it is approved already */
export async function approveUser(db: Db, userId: UserId): Promise<UserRow | undefined> {
  return db
    .updateTable('users')
    .set({ awaitingApprovalSince: null, updatedAt: new Date() })
    .where('id', '=', userId)
    .where('deletedAt', 'is', null)
    .where('awaitingApprovalSince', 'is not', null)
    .returningAll()
    .executeTakeFirst();
}

/**
 * Shuts an account, or opens it again. Both end all credentials of before: an opened account is
 * signed in to anew. Runs are the caller's.
 *
 * @param at null opens it
 * @returns undefined without such an account
 */
export async function setUserDisabled(
  db: Db,
  { userId, at }: { userId: string; at: Date | null },
): Promise<UserRow | undefined> {
  return inTransaction(db, async (tx) => {
    const user = await tx
      .updateTable('users')
      .set({ disabledAt: at, sessionsValidAfter: new Date(), updatedAt: new Date() })
      .where('id', '=', userId)
      .where('deletedAt', 'is', null)
      .returningAll()
      .executeTakeFirst();
    if (user !== undefined) {
      await revokeSessions(tx, { userId, except: null });
      await deactivateApiKeys(tx, userId); // also those of an account that an older release has shut
    }
    return user;
  });
}

/** Ends every session and every token of an account; its API keys stay. */
export async function endAllSessions(db: Db, userId: UserId): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx
      .updateTable('users')
      .set({ sessionsValidAfter: new Date() })
      .where('id', '=', userId)
      .execute();
    await revokeSessions(tx, { userId, except: null });
  });
}
