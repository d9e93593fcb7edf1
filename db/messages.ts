import { sql } from 'kysely';
import type { ConversationId } from '../domain/ids.js';
import type { Db, Tx } from './connect.js';

export interface NewMessage {
  /** For a user's message its message id, so that a repeated signal stores it once. */
  readonly id: string;
  readonly conversationId: ConversationId;
  readonly role: 'user' | 'assistant' | 'system';
  readonly content: string;
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

export interface StoredMessage extends NewMessage {
  readonly createdAt: Date;
}

/**
 * Stores a message and moves its conversation to the top of the list.
 *
 * @returns false, and changes nothing, if the id is already stored.
 */
export async function addMessage(tx: Tx, message: NewMessage): Promise<boolean> {
  const moved = await tx
    .with('added', (query) =>
      query
        .insertInto('messages')
        .values({
          id: message.id,
          conversationId: message.conversationId,
          role: message.role,
          content: message.content.replaceAll('\0', '\ufffd'), // PostgreSQL's text holds no NUL
          metadata_: message.metadata === null ? null : JSON.stringify(message.metadata),
          createdAt: sql<Date>`clock_timestamp()`,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('conversationId'),
    )
    .updateTable('conversations')
    .from('added')
    .set({ updatedAt: sql<Date>`clock_timestamp()` })
    .whereRef('conversations.id', '=', 'added.conversationId')
    .returning('conversations.id')
    .executeTakeFirst();
  return moved !== undefined;
}

/** All messages of a conversation, oldest first. */
export async function listMessages(
  db: Db,
  conversationId: ConversationId,
): Promise<readonly StoredMessage[]> {
  return (
    db
      .selectFrom('messages')
      .select(['id', 'conversationId', 'role', 'content', 'createdAt'])
      // named, because CamelCasePlugin drops the trailing underscore from result columns
      .select('metadata_ as metadata')
      .where('conversationId', '=', conversationId)
      .orderBy('createdAt')
      .orderBy('position')
      .execute()
  );
}

/** The texts of some messages, in the order of `ids`; unknown ids are left out. */
export async function readTexts(db: Db, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) {
    return [];
  }
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'content'])
    .where('id', 'in', [...ids])
    .execute();
  const texts = new Map(rows.map((row) => [row.id, row.content]));
  return ids.flatMap((id) => texts.get(id) ?? []);
}
