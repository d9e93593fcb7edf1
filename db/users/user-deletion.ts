/**
 * Deleting a user, step by step; each step may be repeated, and what it has done stays done.
 * docs/decisions/0007-retention-and-deletion.md says what is removed and what stays without a name.
 */
import { sql } from 'kysely';
import type { ConversationId, PipelineId, UserId } from '../../domain/ids.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import { removeConversations, removeRuns } from '../removals.js';
import { listHeads } from '../audit/run-archives.js';
import { inTransaction } from '../transactions.js';

/**
 * Ends an account at once: its user counts as gone, no credential works, and the address is free.
 * What is theirs is removed by `deleteUserWorkflow`.
 *
 * @returns false if there was no such account any more
 */
export async function closeAccount(db: Db, userId: UserId, now: Date): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const disabled = await tx
      .updateTable('users')
      .set({
        deletedAt: now,
        email: `${userId}@deleted.invalid`,
        displayName: '',
        hashedPassword: '',
        updatedAt: now,
      })
      .where('id', '=', userId)
      .where('deletedAt', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (disabled === undefined) {
      return false;
    }
    for (const table of OWNED) {
      await tx.deleteFrom(table).where('userId', '=', userId).execute();
    }
    return true;
  });
}

/** Credentials and secrets, which go with the order already. */
const OWNED = [
  ...(['refreshTokens', 'signInNetworks', 'apiKeys', 'userLlmKeys'] as const),
  'modelEndpoints',
] as const;

/** Users whose deletion has been ordered and has not come to its end. */
export async function findUnfinishedDeletions(
  db: Db,
  { olderThan, limit }: { olderThan: Date; limit: number },
): Promise<readonly UserId[]> {
  const users = await db
    .selectFrom('users')
    .select('id')
    .where('deletedAt', '<', olderThan)
    .orderBy('deletedAt')
    .limit(limit)
    .execute();
  return users.map(({ id }) => id);
}

/** Whether anything is left of the account. */
export async function userExists(db: Db, userId: UserId): Promise<boolean> {
  const user = await db
    .selectFrom('users')
    .select('id')
    .where('id', '=', userId)
    .executeTakeFirst();
  return user !== undefined;
}

/** The user's runs that have not ended. */
export async function findUnendedRuns(db: Db, userId: UserId): Promise<readonly PipelineId[]> {
  const runs = await db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', userId)
    .where('status', 'in', UNENDED_STATUSES)
    .execute();
  return runs.map(({ id }) => id);
}

/**
 * Takes the person out of what their oldest days have cost. What is left is money: vendor, model, tokens,
 * prices, cost and day; and each day is the sum of its calls still. Two days of one user cannot be
 * told from those of two.
 *
 * @returns how many days; call again when it is a full batch
 */
export async function anonymiseDays(db: Db | Tx, userId: UserId, limit: number): Promise<number> {
  return inTransaction(db, async (tx) => {
    const locked = await tx
      .selectFrom('userDailyCosts')
      .select('id')
      .where('userId', '=', userId)
      .orderBy('date')
      .limit(limit)
      .forUpdate()
      .execute();
    const days = await removeDays(
      tx,
      locked.map(({ id }) => id),
    );
    for (const { date, totalCost } of days) {
      const { id } = await tx
        .insertInto('anonymousDays')
        .values({ date, totalCost })
        .returning('id')
        .executeTakeFirstOrThrow();
      await anonymiseCalls(tx, { userId, id, date });
    }
    return days.length;
  });
}

/** Of days that are locked, so that this sees what they have cost in the end. */
async function removeDays(tx: Tx, ids: readonly string[]) {
  return ids.length === 0
    ? []
    : tx
        .deleteFrom('userDailyCosts')
        .where('id', 'in', ids)
        .returning(['date', 'totalCost'])
        .execute();
}

/** When exactly something was asked would tell who has asked. */
const MIDNIGHT = sql`(date || 'T00:00:00Z')::timestamptz`;

/** A call that is under way no longer finds its row: it stays charged, with an unknown outcome. */
async function anonymiseCalls(
  tx: Tx,
  day: { userId: UserId; id: string; date: string },
): Promise<void> {
  await sql`
    update cost_ledger
    set user_id = null, anonymous_day = ${day.id}::uuid,
      id = gen_random_uuid(), step_id = gen_random_uuid()::text, run_id = '', pipeline_id = null, conversation_id = null,
      model = case provider when 'endpoint' then 'endpoint' else model end, -- the user's own names
      request_id = null, created_at = ${MIDNIGHT}, closed_at = ${MIDNIGHT},
      state = case state when 'reserved' then 'unknown' else state end
    where user_id = ${day.userId}::uuid and date = ${day.date}`.execute(tx);
}

/** @returns how many; call again when it is a full batch */
export async function removeRepliesOf(db: Db, userId: UserId, limit: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('modelReplies')
    .where('stepId', 'in', (query) =>
      query
        .selectFrom('modelReplies')
        .select('stepId')
        .where('userId', '=', userId)
        .limit(limit)
        .forUpdate(),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** Some of what is a user's; of archives that go along, `tombstoneOf` says what stays. */
interface Removal {
  readonly limit: number;
  readonly tombstoneOf: (head: string) => object;
}

async function storeTombstones(
  tx: Tx,
  heads: readonly string[],
  tombstoneOf: Removal['tombstoneOf'],
): Promise<void> {
  const stones = heads.map((head) => ({ head, document: JSON.stringify(tombstoneOf(head)) }));
  if (stones.length > 0) {
    await tx.insertInto('auditTombstones').values(stones).execute();
  }
}

/** @returns how many; call again when it is a full batch */
export async function removeRunsOf(
  db: Db | Tx,
  userId: UserId,
  { limit, tombstoneOf }: Removal,
): Promise<number> {
  return inTransaction(db, async (tx) => {
    const runs = await tx
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('userId', '=', userId)
      .limit(limit)
      .forUpdate()
      .execute();
    const ids = runs.map(({ id }) => id);
    await storeTombstones(tx, await listHeads(tx, 'pipelineId', ids), tombstoneOf);
    await removeRuns(tx, ids);
    return ids.length;
  });
}

/** @returns which; call again when it is a full batch */
export async function removeConversationsOf(
  db: Db | Tx,
  userId: UserId,
  { limit, tombstoneOf }: Removal,
): Promise<readonly ConversationId[]> {
  return inTransaction(db, async (tx) => {
    const conversations = await tx
      .selectFrom('conversations')
      .select('id')
      .where('userId', '=', userId)
      .limit(limit)
      .forUpdate()
      .execute();
    const ids = conversations.map(({ id }) => id);
    await storeTombstones(tx, await listHeads(tx, 'conversationId', ids), tombstoneOf);
    await removeConversations(tx, ids);
    return ids;
  });
}

/**
 * The last step: the account itself, and all that was added during the steps before. Its row is
 * locked first, so that nothing of theirs can be stored from then on.
 */
export async function removeUser(
  db: Db,
  userId: UserId,
  tombstoneOf: Removal['tombstoneOf'],
): Promise<void> {
  await inTransaction(db, async (tx) => {
    const user = await tx
      .selectFrom('users')
      .select('id')
      .where('id', '=', userId)
      .where('deletedAt', 'is not', null)
      .forUpdate()
      .executeTakeFirst();
    if (user === undefined) {
      return;
    }
    await anonymiseDays(tx, userId, ALL);
    await removeRunsOf(tx, userId, { limit: ALL, tombstoneOf });
    await removeConversationsOf(tx, userId, { limit: ALL, tombstoneOf });
    await tx.deleteFrom('users').where('id', '=', userId).execute();
  });
}

/** Of what is left by then. */
const ALL = 1_000_000;
