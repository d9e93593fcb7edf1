import type { Selectable } from 'kysely';
import type { Db } from './connect.js';
import type { ConversationsTable } from './schema.js';

export type ConversationRow = Selectable<ConversationsTable>;

export async function insertConversation(
  db: Db,
  conversation: { id: string; userId: string; title: string },
): Promise<ConversationRow> {
  return db
    .insertInto('conversations')
    .values(conversation)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The user's conversations, the one with the latest message first. */
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
    .execute();
}

/** @returns undefined where it is missing or someone else's; nobody can tell which. */
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
