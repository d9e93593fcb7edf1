import type { Selectable } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import { hasRoom, BOUNDS } from '../../domain/account/permissions.js';
import type { Db } from '../connect.js';
import type { ConversationsTable } from '../schema.js';
import { inTransaction } from '../transactions.js';
import { lockUser } from '../users/users.js';

export type ConversationRow = Selectable<ConversationsTable>;

/** @throws `limit-reached` at the role's number of conversations, exactly, however many come at once */
export async function insertConversation(
  db: Db,
  conversation: { id: string; userId: string; title: string },
): Promise<ConversationRow> {
  return inTransaction(db, async (tx) => {
    const { role } = await lockUser(tx, conversation.userId);
    const { maxConversations } = BOUNDS[role];
    const { count } = await tx
      .selectFrom('conversations')
      .select((select) => select.fn.countAll<number>().as('count'))
      .where('userId', '=', conversation.userId)
      .executeTakeFirstOrThrow();
    if (!hasRoom(count, maxConversations)) {
      throw new DomainError(
        'limit-reached',
        `Conversation limit reached (max ${maxConversations})`,
      );
    }
    return tx
      .insertInto('conversations')
      .values(conversation)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** More than any role but an administrator's has. */
const MAX_LISTED = 10_000;

/** The user's conversations, the one with the latest message first, 10,000 at most. */
export async function listConversations(
  db: Db,
  userId: string,
): Promise<readonly ConversationRow[]> {
  return db
    .selectFrom('conversations')
    .selectAll()
    .where('userId', '=', userId)
    .orderBy('updatedAt', 'desc')
    .orderBy('id')
    .limit(MAX_LISTED)
    .execute();
}

/** @returns undefined where it is missing or someone else's; the two look alike. */
export async function findConversation(
  db: Db,
  key: { userId: string; conversationId: string },
): Promise<ConversationRow | undefined> {
  return db
    .selectFrom('conversations')
    .selectAll()
    .where('id', '=', key.conversationId)
    .where('userId', '=', key.userId)
    .executeTakeFirst();
}
