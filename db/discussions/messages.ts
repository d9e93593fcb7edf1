import { sql, type RawBuilder } from 'kysely';
import type { ConversationId } from '../../domain/ids.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import type { Db } from '../connect.js';

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
 * Parts of a statement that add messages of a conversation, each id once, and move it to the top of
 * the list: `moved` is a row where any was added.
 *
 * @param onlyIf whether anything is to be added at all
 */
export function addingMessages(
  conversationId: ConversationId,
  messages: readonly NewMessage[],
  onlyIf: RawBuilder<unknown> = sql`true`,
) {
  const ids = messages.map(({ id }) => id);
  const roles = messages.map(({ role }) => role);
  const contents = messages.map(({ content }) => toStorableText(content));
  const metadata = messages.map((message) =>
    message.metadata === null ? null : JSON.stringify(message.metadata),
  );
  return sql`
    told as (
      insert into messages (id, conversation_id, role, content, metadata_, created_at)
      select id, ${conversationId}::uuid, role, content, metadata, clock_timestamp()
      from unnest(${ids}::uuid[], ${roles}::text[], ${contents}::text[], ${metadata}::json[])
        with ordinality as message (id, role, content, metadata, place)
      where ${onlyIf} order by place
      on conflict (id) do nothing
      returning conversation_id
    ),
    moved as (
      update conversations set updated_at = clock_timestamp()
      from (select distinct conversation_id from told) as told
      where conversations.id = told.conversation_id
      returning conversations.id
    )`;
}

/** Always true, once the messages are there. */
export const AFTER_MESSAGES = sql<boolean>`(select count(*) from moved) >= 0`;

/** What one answer shows of a conversation at most; its stream holds the rest. */
const MAX_SHOWN = { messages: 10_000, bytes: 16_777_216 };

/** The latest messages of a conversation, oldest first: all of them, unless there are very many. */
export async function listMessages(
  db: Db,
  conversationId: ConversationId,
): Promise<readonly StoredMessage[]> {
  const latest = db
    .selectFrom('messages')
    .select(['id', 'position', 'createdAt'])
    .select((eb) =>
      eb.fn
        .sum<number>(sql`octet_length(content) + coalesce(octet_length(metadata_::text), 0)`)
        .over((over) => over.orderBy('createdAt', 'desc').orderBy('position', 'desc'))
        .as('bytes'),
    )
    .where('conversationId', '=', conversationId)
    .orderBy('createdAt', 'desc')
    .orderBy('position', 'desc')
    .limit(MAX_SHOWN.messages);
  return (
    db
      .selectFrom(latest.as('latest'))
      .innerJoin('messages', 'messages.id', 'latest.id')
      .select([
        'messages.id',
        'messages.conversationId',
        'messages.role',
        'messages.content',
        'messages.createdAt',
      ])
      // named, because CamelCasePlugin drops the trailing underscore from result columns
      .select('messages.metadata_ as metadata')
      .where('latest.bytes', '<=', MAX_SHOWN.bytes)
      .orderBy('messages.createdAt')
      .orderBy('messages.position')
      .execute()
  );
}

export interface MessagePageRequest {
  readonly limit: number;
  readonly order: 'newest' | 'oldest';
  /** The message before the page. */
  readonly after?: string | undefined;
}

export interface MessagePage {
  readonly items: readonly StoredMessage[];
  /** The message that the next page goes on after; null: nothing follows. */
  readonly next: string | null;
}

/** What a page shows at most, but for its first message. */
const MAX_PAGE_BYTES = 1_048_576;

/** One page of a conversation's messages; empty after a message that is not of it. */
export async function listMessagePage(
  db: Db,
  conversationId: ConversationId,
  { limit, order, after }: MessagePageRequest,
): Promise<MessagePage> {
  const isNewest = order === 'newest';
  const direction = isNewest ? sql`desc` : sql`asc`;
  const behind = sql`(created_at, position) ${isNewest ? sql`<` : sql`>`}
    (select created_at, position from messages
      where id = ${after ?? null}::uuid and conversation_id = ${conversationId}::uuid)`;
  const { rows } = await sql<StoredMessage & { readonly bytesBefore: number }>`
    with page as (
      select id, conversation_id, role, content, metadata_, created_at, position
      from messages
      where conversation_id = ${conversationId}::uuid and ${after === undefined ? sql`true` : behind}
      order by created_at ${direction}, position ${direction}
      limit ${limit + 1}
    ), measured as (
      select page.*, coalesce(sum(octet_length(content) + coalesce(octet_length(metadata_::text), 0))
        over (order by created_at ${direction}, position ${direction}
          rows between unbounded preceding and 1 preceding), 0)::integer as bytes_before
      from page
    )
    select id, conversation_id, role, content, metadata_ as metadata, created_at, bytes_before
    from measured
    order by created_at ${direction}, position ${direction}`.execute(db);
  const fitting = rows.filter(({ bytesBefore }) => bytesBefore < MAX_PAGE_BYTES).slice(0, limit);
  return {
    items: fitting,
    next: fitting.length < rows.length ? (fitting.at(-1)?.id ?? null) : null,
  };
}

/** The texts of some messages, in the order of `ids`; unknown ids are left out. */
export async function readTexts(db: Db, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) {
    return [];
  }
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'content'])
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute();
  const texts = new Map(rows.map((row) => [row.id, row.content]));
  return ids.flatMap((id) => texts.get(id) ?? []);
}
