/** A user's conversations, page by page, the one with the latest message first. */
import { sql } from 'kysely';
import type { UserId } from '../../domain/ids.js';
import type { Db } from '../connect.js';
import { MAX_LOOKED_THROUGH, microsOf, pageOf, timeOf } from '../pages.js';
import type { Page, PlacedRow, TimeCursor } from '../pages.js';
import type { ConversationRow } from './conversations.js';

export interface ConversationPageFilter {
  readonly limit: number;
  /** The place before the page. */
  readonly after?: TimeCursor | undefined;
  /** A part of the title, in any case. */
  readonly search?: string | undefined;
  readonly status?: ConversationRow['status'] | undefined;
}

/**
 * One page. A filter looks through a bounded number of conversations, so a page may have fewer items
 * than `limit`, and more may follow. A conversation that gets a message meanwhile moves to the top.
 */
export async function listConversationPage(
  db: Db,
  userId: UserId,
  { limit, after, search, status }: ConversationPageFilter,
): Promise<Page<ConversationRow>> {
  const isFiltered = search !== undefined || status !== undefined;
  const lookedThrough = isFiltered ? MAX_LOOKED_THROUGH : limit + 1;
  const behind =
    after === undefined
      ? sql`updated_at <= 'infinity'::timestamptz`
      : sql`(updated_at, id) < (${timeOf(after)}, ${after.id}::uuid)`;
  const { rows } = await sql<ConversationRow & PlacedRow>`
    with conversation as (
      select * from conversations
      where user_id = ${userId}::uuid and ${behind}
      order by updated_at desc, id desc
      limit ${lookedThrough}
    ), placed as (
      select conversation.*,
        ${search === undefined ? sql`true` : sql`normalize(title) ilike ${patternOf(search)}`}
          and ${status === undefined ? sql`true` : sql`status = ${status}`} as is_match,
        row_number() over (order by updated_at desc, id desc)::integer as place
      from conversation
    )
    select placed.*, ${microsOf('updated_at')} as micros
    from placed
    where is_match or place = ${lookedThrough} -- of which more may follow
    order by updated_at desc, id desc
    limit ${limit + 1}`.execute(db);
  return pageOf(rows, { limit, lookedThrough });
}

/** Composed, as the titles are for the comparison: a Korean title of a Mac is not. */
function patternOf(search: string): string {
  return `%${search.normalize('NFC').replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}
