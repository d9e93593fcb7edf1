/**
 * How a turn begins and ends: its messages, its events and the state after it, stored by one
 * statement each. Rows are locked in one order: the state, the conversation, its stream. To be run by
 * `retryTransaction`, or in a transaction of the caller's.
 */
import { sql } from 'kysely';
import type { StoredEvent } from '../../domain/events.js';
import type { Db, Tx } from '../connect.js';
import { savingDiscussion, type StoredDiscussion } from './discussions.js';
import { appending, storedEventsOf, type EventRow, type EventStep } from '../events.js';
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

export interface TurnStored {
  /** As stored, also by an earlier attempt. */
  readonly events: readonly StoredEvent[];
  /** false: that state or a newer one was kept already. */
  readonly isKept: boolean;
}

/**
 * Keeps the state after a turn, unless that state or a newer one is kept already: then no message is
 * added, and no event to a turn that has some.
 */
export async function storeTurnEnd(
  db: Db | Tx,
  { discussion, messages, steps }: TurnRecord,
): Promise<TurnStored> {
  const { conversationId } = discussion;
  const entry = { streamId: conversationId, conversationId, steps };
  const isKept = sql`exists (select from kept)`;
  const isFirst = sql`(${AFTER_MESSAGES} and (${isKept} or not exists (select from known)))`;
  const { rows } = await sql<EventRow & { isKept: boolean }>`
    with kept as (${savingDiscussion(discussion)}),
    ${addingMessages(conversationId, messages, isKept)},
    ${appending(entry, isFirst)}
    select event.*, ${isKept} as is_kept
    from (select 1) as turn
    left join (select * from known union all select * from added) as event on true`.execute(db);
  return { events: storedEventsOf(rows, steps), isKept: rows[0]?.isKept === true };
}
