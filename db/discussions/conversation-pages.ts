/** A user's conversations, page by page, the one with the latest message first. */
import { sql } from 'kysely';
import type { UserId } from '../../domain/ids.js';
import type { Db } from '../connect.js';
import { allOf, readPage, timeOf, type Page, type TimeCursor } from '../pages.js';
import type { ConversationRow } from './conversations.js';

export interface ConversationPageFilter {
  readonly limit: number;
  /** The place before the page. */
  readonly after?: TimeCursor | undefined;
  /** A part of the title, in any case. */
  readonly search?: string | undefined;
  readonly status?: ConversationRow['status'] | undefined;
}

/** A conversation that gets a message meanwhile moves to the top. */
export async function listConversationPage(
  db: Db,
  userId: UserId,
  { limit, after, search, status }: ConversationPageFilter,
): Promise<Page<ConversationRow>> {
  const behind =
    after === undefined
      ? sql`updated_at <= 'infinity'::timestamptz`
      : sql`(updated_at, id) < (${timeOf(after)}, ${after.id}::uuid)`;
  const conditions = [
    search === undefined ? null : sql`normalize(title) ilike ${patternOf(search)}`,
    status === undefined ? null : sql`status = ${status}`,
  ].filter((condition) => condition !== null);
  return readPage(db, {
    rows: sql`select * from conversations where user_id = ${userId}::uuid and ${behind}`,
    time: 'updated_at',
    filter: allOf(conditions),
    limit,
  });
}

/** Composed, as the titles are for the comparison: a Korean title of a Mac is not. */
function patternOf(search: string): string {
  return `%${search.normalize('NFC').replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}
