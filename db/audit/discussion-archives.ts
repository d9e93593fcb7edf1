/** Archives of discussions: one for each run in Temporal that has closed. */
import { sql } from 'kysely';
import { isUuid, type ConversationId, type UserId } from '../../domain/ids.js';
import { listPrompts } from '../billing/call-prompts.js';
import type { Db } from '../connect.js';
import type { ArchiveReader, StoredArchive } from './run-archives.js';
import { listReplies } from './run-records.js';
import { inTransaction } from '../transactions.js';

export interface DiscussionRun {
  readonly conversationId: ConversationId;
  /** In Temporal. */
  readonly runId: string;
}

export type OwnedDiscussionRun = DiscussionRun & { readonly userId: UserId };

/** @returns false, and changes nothing, if its conversation is gone or it is archived already */
export async function saveDiscussionArchive(
  db: Db,
  { runId: id, ...archive }: StoredArchive & DiscussionRun & { readonly archivedAt: Date },
): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const conversation = await tx
      .selectFrom('conversations')
      .select('id')
      .where('id', '=', archive.conversationId)
      .forShare()
      .executeTakeFirst();
    if (conversation === undefined) {
      return false;
    }
    const saved = await tx
      .insertInto('archives')
      .values({ ...archive, id })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst();
    return saved !== undefined;
  });
}

/** Those of some runs that have a conversation and no archive, with their owners. */
export async function findUnarchivedDiscussions(
  db: Db,
  runs: readonly DiscussionRun[],
): Promise<readonly OwnedDiscussionRun[]> {
  if (runs.length === 0) {
    return [];
  }
  const { rows } = await sql<OwnedDiscussionRun>`
    select wanted.conversation_id, wanted.run_id, conversation.user_id
    from unnest(
      ${runs.map(({ conversationId }) => conversationId)}::uuid[],
      ${runs.map(({ runId }) => runId)}::uuid[]
    ) as wanted (conversation_id, run_id)
    join conversations as conversation on conversation.id = wanted.conversation_id
    where not exists (select from archives where archives.id = wanted.run_id)`.execute(db);
  return rows;
}

export interface DiscussionArchiveNote {
  readonly runId: string;
  readonly head: string;
  readonly archivedAt: Date;
}

/** Stands in for ids that are none, so that these are looked up like any other. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** @returns in the order in which they were made; null for a conversation that the reader may not see */
export async function listDiscussionArchives(
  db: Db,
  conversationId: string,
  { userId, mayReadAny }: ArchiveReader,
): Promise<{ ownerId: UserId; archives: readonly DiscussionArchiveNote[] } | null> {
  const rows = await db
    .selectFrom('conversations as talk')
    .leftJoin('archives', 'archives.conversationId', 'talk.id')
    .select(['talk.userId', 'archives.id as runId', 'archives.head', 'archives.archivedAt'])
    .where('talk.id', '=', conversationId)
    .$if(!mayReadAny, (query) => query.where('talk.userId', '=', userId))
    .orderBy('archives.archivedAt')
    .execute();
  const [first] = rows;
  const archives = rows.flatMap(({ runId, head, archivedAt }) =>
    runId === null || head === null || archivedAt === null ? [] : [{ runId, head, archivedAt }],
  );
  return first === undefined ? null : { ownerId: first.userId, archives };
}

/** @returns null for a missing one as for one that the reader may not see */
export async function findDiscussionArchive(
  db: Db,
  { conversationId, runId }: DiscussionRun,
  { userId, mayReadAny }: ArchiveReader,
): Promise<(StoredArchive & { readonly id: string; readonly ownerId: UserId }) | null> {
  const found = await db
    .selectFrom('archives')
    .innerJoin('conversations as talk', 'talk.id', 'archives.conversationId')
    .select(['archives.id', 'archives.head', 'archives.bundle', 'archives.nonce'])
    .select(['archives.sealedBy', 'talk.userId as ownerId'])
    .where('talk.id', '=', conversationId)
    .where('archives.id', '=', isUuid(runId) ? runId : NO_ID)
    .$if(!mayReadAny, (query) => query.where('talk.userId', '=', userId))
    .executeTakeFirst();
  return found ?? null;
}

/** What a discussion's run has asked and paid, between its beginning and its end. */
export async function readDiscussionCalls(
  db: Db,
  conversationId: ConversationId,
  { from, to }: { from: Date; to: Date },
) {
  const calls = await db
    .selectFrom('costLedger')
    .selectAll()
    .where('conversationId', '=', conversationId)
    .where('pipelineId', 'is', null)
    .where('createdAt', '>=', from)
    .where('createdAt', '<=', to)
    .orderBy('createdAt')
    .orderBy('id')
    .execute();
  const ids = calls.map(({ id }) => id);
  const stepIds = calls.map(({ stepId }) => stepId);
  return {
    calls,
    prompts: await listPrompts(db, ids),
    replies: await listReplies(db, stepIds),
  };
}
