/**
 * What has outlived its age, in batches: each call is one short transaction, and several at once do
 * not wait for each other. Nothing of a run that has not ended is ever removed.
 */
import { sql, type ExpressionBuilder, type SqlBool } from 'kysely';
import { utcDay } from '../domain/account/days.js';
import type { RetentionKind } from '../domain/account/retention.js';
import { prunePrompts } from './billing/call-prompts.js';
import type { Db, Tx } from './connect.js';
import { UNENDED_STATUSES } from './index-conditions.js';
import { removeConversations, removeRuns } from './removals.js';
import type { Database } from './schema.js';
import { inTransaction } from './transactions.js';

export interface RetentionBatch {
  /** What is older may go. */
  readonly before: Date;
  readonly limit: number;
}

/** @returns how many were removed; call again when it is a full batch */
type Prune = (db: Db, batch: RetentionBatch) => Promise<number>;

export const PRUNE: Readonly<Record<RetentionKind, Prune>> = {
  conversations: pruneConversations,
  runs: pruneRuns,
  replies: pruneReplies,
  events: pruneEvents,
  'ledger-days': pruneLedgerDays,
  'refresh-tokens': pruneRefreshTokens,
};

async function pruneConversations(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  return inTransaction(db, async (tx) => {
    const due = await tx
      .selectFrom('conversations')
      .select('id')
      .where('updatedAt', '<', before)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('pipelineExecutions as run')
              .select('run.id')
              .whereRef('run.conversationId', '=', 'conversations.id')
              .where((eb) =>
                eb.or([eb('run.status', 'in', UNENDED_STATUSES), isReusedByOpenRun(eb)]),
              ),
          ),
        ),
      )
      .orderBy('updatedAt')
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .execute();
    await removeConversations(
      tx,
      due.map(({ id }) => id),
    );
    return due.length;
  });
}

async function pruneRuns(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  return inTransaction(db, async (tx) => {
    const due = await tx
      .selectFrom('pipelineExecutions as run')
      .select('run.id')
      .where('run.endedAt', '<', before)
      .where((eb) => eb.not(isReusedByOpenRun(eb)))
      .orderBy('run.endedAt')
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .execute();
    await removeRuns(
      tx,
      due.map(({ id }) => id),
    );
    return due.length;
  });
}

type OfRun = ExpressionBuilder<Database & { run: Database['pipelineExecutions'] }, 'run'>;

/** A run that takes over what another one has answered reads it until its own end. */
function isReusedByOpenRun({ exists, selectFrom }: OfRun) {
  return exists(
    selectFrom('pipelineExecutions as later')
      .select('later.id')
      .whereRef('later.rerunOf', '=', 'run.id')
      .where('later.status', 'in', UNENDED_STATUSES),
  );
}

/** With the prompts that were answered. */
async function pruneReplies(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  const replies = await pruneModelReplies(db, { before, limit });
  return replies + (await prunePrompts(db, { before, limit: limit - replies }));
}

/** Replies of turns go by the age of runs, too: the texts that they led to are elsewhere. */
async function pruneModelReplies(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('modelReplies')
    .where('stepId', 'in', (query) =>
      query
        .selectFrom('modelReplies as reply')
        .select('reply.stepId')
        .where('reply.createdAt', '<', before)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('pipelineExecutions as run')
                .select('run.id')
                .where('run.status', 'in', UNENDED_STATUSES)
                .where(sql<SqlBool>`run.id::text = split_part(reply.step_id, ':', 1)`),
            ),
          ),
        )
        .orderBy('reply.createdAt')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/**
 * The counter of a stream stays, and what is left begins later than 1 and has no gap: events go in
 * the order of `seq`, also where the server's clock has jumped.
 */
async function pruneEvents(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  const { rows } = await sql`
    with due_streams as materialized (
      select distinct stream_id from (
        select stream_id from stream_events as event
        where created_at < ${before}::timestamptz and not exists (
          select from pipeline_executions as run
          where run.status in ${UNENDED_STATUSES}
            and coalesce(run.conversation_id, run.id) = event.stream_id)
        order by created_at limit ${limit}
      ) as oldest
    ),
    due as (
      select stream_id, event.seq
      from due_streams,
        lateral (
          select coalesce(min(seq), 2147483647) as seq from stream_events as event
          where event.stream_id = due_streams.stream_id
            and event.created_at >= ${before}::timestamptz
        ) as first_kept,
        lateral (
          select seq from stream_events as event
          where event.stream_id = due_streams.stream_id and event.seq < first_kept.seq
          order by seq limit ${limit}
        ) as event
      order by stream_id, event.seq limit ${limit}
    )
    delete from stream_events as event using due
    where event.stream_id = due.stream_id and event.seq = due.seq
    returning event.seq`.execute(db);
  return rows.length;
}

/** A day and its calls go together, so that each day is the sum of its ledger at all times. */
async function pruneLedgerDays(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows: days } = await sql<{ id: string }>`
      select id from user_daily_costs as day
      where date < ${utcDay(before)} and not exists (
        select from cost_ledger as call
        join pipeline_executions as run on run.id = call.pipeline_id
        where call.user_id = day.user_id and call.date = day.date
          and run.status in ${UNENDED_STATUSES})
      order by date limit ${limit} for update skip locked`.execute(tx);
    const ids = days.map(({ id }) => id);
    await sql`
      delete from cost_ledger as call using user_daily_costs as day
      where day.id = any(${ids}::uuid[])
        and call.user_id = day.user_id and call.date = day.date`.execute(tx);
    await sql`delete from user_daily_costs where id = any(${ids}::uuid[])`.execute(tx);
    return ids.length + (await pruneAnonymousDays(tx, { before, limit: limit - ids.length }));
  });
}

/** Their calls go along. */
async function pruneAnonymousDays(tx: Tx, { before, limit }: RetentionBatch): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('anonymousDays')
    .where('id', 'in', (query) =>
      query
        .selectFrom('anonymousDays')
        .select('id')
        .where('date', '<', utcDay(before))
        .orderBy('date')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

async function pruneRefreshTokens(db: Db, { before, limit }: RetentionBatch): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('refreshTokens')
    .where('id', 'in', (query) =>
      query
        .selectFrom('refreshTokens')
        .select('id')
        .where('expiresAt', '<', before)
        .orderBy('expiresAt')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
