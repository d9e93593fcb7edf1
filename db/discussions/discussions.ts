import { sql } from 'kysely';
import type { ConversationId, StepId, UserId } from '../../domain/ids.js';
import { readDiscussionState } from '../../domain/discussion/stored-state.js';
import type { DiscussionState, UnendedRun } from '../../domain/discussion/state.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';

export interface StoredDiscussion {
  readonly conversationId: ConversationId;
  readonly userId: UserId;
  readonly talk: DiscussionState;
}

/**
 * Keeps the state after a turn, unless that state or a newer one is kept already. The row stays
 * locked until `tx` ends, so that a repeated attempt waits for the one before.
 *
 * @returns false if nothing was kept: this is a repetition
 */
export async function saveDiscussion(tx: Tx, discussion: StoredDiscussion): Promise<boolean> {
  const { rows } = await sql`${savingDiscussion(discussion)}`.execute(tx);
  return rows.length > 0;
}

/** The statement of `saveDiscussion`, to be part of another one. */
export function savingDiscussion({ conversationId, userId, talk: state }: StoredDiscussion) {
  return sql`
    insert into discussions as stored (conversation_id, user_id, version, talk)
    values (${conversationId}::uuid, ${userId}::uuid, ${state.version}, ${JSON.stringify(state)})
    on conflict (conversation_id) do update
      set version = excluded.version, talk = excluded.talk, updated_at = now()
      where stored.version < excluded.version
    returning conversation_id`;
}

export interface KeptDiscussion extends Omit<StoredDiscussion, 'talk'> {
  /** null: what is stored cannot be read. */
  readonly talk: DiscussionState | null;
  /** Why it cannot be read. */
  readonly problem: string | null;
  readonly version: number;
}

export async function readDiscussion(
  db: Db,
  conversationId: ConversationId,
): Promise<KeptDiscussion | undefined> {
  const row = await db
    .selectFrom('discussions')
    .select(['conversationId', 'userId', 'version', 'talk'])
    .where('conversationId', '=', conversationId)
    .executeTakeFirst();
  if (row === undefined) {
    return undefined;
  }
  const stored = readDiscussionState(row.talk);
  return stored.kind === 'talk'
    ? { ...row, talk: stored.talk, problem: null }
    : { ...row, talk: null, problem: stored.problem };
}

/** Of the state after the last turn; null before the first one. */
export async function readStateVersion(
  db: Db,
  conversationId: ConversationId,
): Promise<number | null> {
  const discussion = await db
    .selectFrom('discussions')
    .select('version')
    .where('conversationId', '=', conversationId)
    .executeTakeFirst();
  return discussion?.version ?? null;
}

/** What the record says of a conversation when one of its turns begins. */
export interface TurnContext {
  /** The state after the last turn; null also where it cannot be read. */
  readonly talk: DiscussionState | null;
  /** Whether the turn's answer is stored. */
  readonly isAnswered: boolean;
  /** Whether the conversation counts against a day's discussions. */
  readonly isCounted: boolean;
  /** The conversation's runs that have not ended, the latest first: one, but for older data. */
  readonly runs: readonly UnendedRun[];
  /** Whether a reply to one of the turn's questions is stored. */
  readonly hasReplies: boolean;
}

/**
 * @param turn `answerKey` is the step key of its answer, `stepIds` are those of its questions
 * @returns null if the user has no such conversation
 */
export async function readTurnContext(
  db: Db | Tx,
  turn: {
    readonly conversationId: ConversationId;
    readonly userId: UserId;
    readonly answerKey: string;
    readonly stepIds?: readonly StepId[];
  },
): Promise<TurnContext | null> {
  const context = await db
    .selectFrom('conversations')
    .leftJoin('discussions', 'discussions.conversationId', 'conversations.id')
    .leftJoin('streamEvents as answer', (join) =>
      join
        .onRef('answer.streamId', '=', 'conversations.id')
        .on('answer.stepKey', '=', turn.answerKey),
    )
    .select(['discussions.talk', 'conversations.countedOn', 'answer.seq'])
    .select(unendedRuns.as('runs'))
    .select(hasReplies(turn.stepIds ?? []).as('hasReplies'))
    .where('conversations.id', '=', turn.conversationId)
    .where('conversations.userId', '=', turn.userId)
    .executeTakeFirst();
  if (context === undefined) {
    return null;
  }
  const { talk: state, countedOn, seq, ...rest } = context;
  return {
    ...rest,
    talk: state === null ? null : stateIn(state),
    isAnswered: seq !== null,
    isCounted: countedOn !== null,
  };
}

const unendedRuns = sql<readonly UnendedRun[]>`coalesce(
  (
    select json_agg(
      json_build_object(
        'pipelineId', id, 'designName', design_name,
        'waitingFor', waiting_for, 'holdsSlot', holds_slot
      )
      order by created_at desc
    )
    from pipeline_executions
    where conversation_id = conversations.id and status in ${UNENDED_STATUSES}
  ),
  '[]'
)`;

function hasReplies(stepIds: readonly StepId[]) {
  return sql<boolean>`exists (
    select from model_replies where step_id = any(${stepIds}::text[])
  )`;
}

function stateIn(stored: unknown): DiscussionState | null {
  const read = readDiscussionState(stored);
  return read.kind === 'talk' ? read.talk : null;
}
