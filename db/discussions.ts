import { sql } from 'kysely';
import type { ConversationId, UserId } from '../domain/ids.js';
import type { Talk } from '../domain/talk.js';
import type { Db, Tx } from './connect.js';

export interface StoredDiscussion {
  readonly conversationId: ConversationId;
  readonly userId: UserId;
  readonly talk: Talk;
}

/**
 * Keeps the state after a turn, unless that state or a newer one is kept already. The row stays
 * locked until `tx` ends, so that a repeated attempt waits for the one before.
 *
 * @returns false if nothing was kept: this is a repetition
 */
export async function saveDiscussion(tx: Tx, discussion: StoredDiscussion): Promise<boolean> {
  const { conversationId, userId } = discussion;
  const { version } = discussion.talk;
  const talk = JSON.stringify(discussion.talk);
  const kept = await tx
    .insertInto('discussions')
    .values({ conversationId, userId, version, talk })
    .onConflict((conflict) =>
      conflict
        .column('conversationId')
        .doUpdateSet({ version, talk, updatedAt: sql<Date>`now()` })
        .where('discussions.version', '<', version),
    )
    .returning('conversationId')
    .executeTakeFirst();
  return kept !== undefined;
}

export async function readDiscussion(
  db: Db,
  conversationId: ConversationId,
): Promise<StoredDiscussion | undefined> {
  return db
    .selectFrom('discussions')
    .select(['conversationId', 'userId', 'talk'])
    .where('conversationId', '=', conversationId)
    .executeTakeFirst();
}

/** What the record says of a conversation when one of its turns begins. */
export interface TurnGround {
  /** The state after the last turn. */
  readonly talk: Talk | null;
  /** Whether the turn's answer is stored. */
  readonly isAnswered: boolean;
  /** Whether the conversation counts against a day's discussions. */
  readonly isCounted: boolean;
}

/**
 * @param turn `answerKey` is the step key of its answer
 * @returns null if the user has no such conversation
 */
export async function readTurnGround(
  tx: Tx,
  turn: {
    readonly conversationId: ConversationId;
    readonly userId: UserId;
    readonly answerKey: string;
  },
): Promise<TurnGround | null> {
  const ground = await tx
    .selectFrom('conversations')
    .leftJoin('discussions', 'discussions.conversationId', 'conversations.id')
    .leftJoin('streamEvents as answer', (join) =>
      join
        .onRef('answer.streamId', '=', 'conversations.id')
        .on('answer.stepKey', '=', turn.answerKey),
    )
    .select(['discussions.talk', 'conversations.countedOn', 'answer.seq'])
    .where('conversations.id', '=', turn.conversationId)
    .where('conversations.userId', '=', turn.userId)
    .executeTakeFirst();
  if (ground === undefined) {
    return null;
  }
  const { talk, countedOn, seq } = ground;
  return { talk, isAnswered: seq !== null, isCounted: countedOn !== null };
}
