import { sql } from 'kysely';
import type { Tx } from '../../db/connect.js';
import { addingMessages, type NewMessage } from '../../db/discussions/messages.js';

/** @returns false, and changes nothing, if the id is already stored. */
export async function addMessage(tx: Tx, message: NewMessage): Promise<boolean> {
  const { rows } = await sql`
    with ${addingMessages(message.conversationId, [message])} select from moved`.execute(tx);
  return rows.length > 0;
}
