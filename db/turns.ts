/**
 * How a turn begins and ends: its messages, its events and the state after it, stored by one
 * statement each. Rows are locked in one order: the state, the conversation, its stream. To be run by
 * `repeatVictim`, or in a transaction of the caller's.
 */
import { sql } from 'kysely';
import type { StoredEvent } from '../domain/events.js';
import type { Db, Tx } from './connect.js';
import { savingDiscussion, type StoredDiscussion } from './discussions.js';
import { appending, storedEventsOf, type EventRow, type EventStep } from './events.js';
import { addingMessages, AFTER_MESSAGES, type NewMessage } from './messages.js';

/**
 * Stores a message and its echo, each once.
 *
 * @returns the echo as stored, also by an earlier attempt
 */
export async function storeEcho(
  db: Db | Tx,
  { message, step }: { readonly message: NewMessage; readonly step: EventStep },
): Promise<readonly StoredEvent[]> {
  const { conversationId } = message;
  const steps = [step];
  const entry = { streamId: conversationId, conversationId, steps };
  const { rows } = await sql<EventRow>`
    with ${addingMessages(conversationId, [message])},
    ${appending(entry, AFTER_MESSAGES)}
    select * from known union all select * from added`.execute(db);
  return storedEventsOf(rows, steps);
}

export interface TurnRecord {
  readonly discussion: StoredDiscussion;
  readonly messages: readonly NewMessage[];
  readonly steps: readonly EventStep[];
}

/**
 * Keeps the state after a turn, unless that state or a newer one is kept already: then no message is
 * added. Events are stored once in any case.
 *
 * @returns the events as stored, also by an earlier attempt
 */
export async function storeTurnEnd(
  db: Db | Tx,
  { discussion, messages, steps }: TurnRecord,
): Promise<readonly StoredEvent[]> {
  const { conversationId } = discussion;
  const entry = { streamId: conversationId, conversationId, steps };
  const { rows } = await sql<EventRow>`
    with kept as (${savingDiscussion(discussion)}),
    ${addingMessages(conversationId, messages, sql`exists (select from kept)`)},
    ${appending(entry, AFTER_MESSAGES)}
    select * from known union all select * from added`.execute(db);
  return storedEventsOf(rows, steps);
}
