/** Pages of many conversations, and of one that is long. */
import { sql } from 'kysely';
import type { Db } from '../../../db/connect.js';
import { listConversationPage } from '../../../db/discussions/conversation-pages.js';
import { listMessagePage, type MessagePage } from '../../../db/discussions/messages.js';
import { connectRecording, planOf, type SeenStatement } from '../../support/plans.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const CONVERSATIONS = 10_000;
const MESSAGES = 10_000;
const OTHERS = 1_000;
const NEWEST = new Date('2026-11-22T12:00:00Z');
const NO_ID = '00000000-0000-4000-8000-000000000001';

let server: TestDb;
let db: Db;
let userId: string;
let conversationId: string;
let statements: SeenStatement[];

beforeAll(async () => {
  server = await createTestDb();
  ({ db, statements } = connectRecording(server.url));
  userId = (await createTestUser(db)).id;
  // two at a time are of the same second
  const { rows } = await sql<{ id: string }>`
    insert into conversations (id, user_id, title, updated_at)
    select gen_random_uuid(), ${userId}::uuid, 'Talk ' || n, ${NEWEST}::timestamptz - make_interval(secs => n / 2)
    from generate_series(1, ${CONVERSATIONS}::integer) as n
    returning id`.execute(db);
  conversationId = rows[0]?.id ?? '';
  await sql`
    insert into messages (id, conversation_id, role, content, created_at)
    select gen_random_uuid(), id, 'user', n::text, ${NEWEST}::timestamptz + make_interval(secs => n / 2)
    from generate_series(1, ${MESSAGES}::integer) as n, unnest(array[
      ${conversationId}::uuid, ${rows[1]?.id ?? ''}::uuid]) as id`.execute(db);
  // as many users as make the planner think of one of them as few
  await sql`
    with other as (
      insert into users (id, email, hashed_password, display_name)
      select gen_random_uuid(), 'user-' || n || '@example.com', 'unusable', 'Somebody'
      from generate_series(1, ${OTHERS}::integer) as n
      returning id
    )
    insert into conversations (id, user_id, title, updated_at)
    select gen_random_uuid(), id, 'Of another', ${NEWEST}::timestamptz from other`.execute(db);
  await sql`vacuum analyze`.execute(db);
});
afterAll(async () => {
  await db.destroy();
  await server.drop();
});

async function messagesOf(order: 'newest' | 'oldest', limit: number): Promise<string[]> {
  const contents: string[] = [];
  let page: MessagePage | null = null;
  while (page === null || page.next !== null) {
    const after = page?.next ?? undefined;
    page = await listMessagePage(db, conversationId, { limit, order, after });
    contents.push(...page.items.map(({ content }) => content));
  }
  return contents;
}

test('pages hold every message once, in either order', async () => {
  const all = Array.from({ length: MESSAGES }, (_, index) => String(index + 1));
  expect(await messagesOf('oldest', 999)).toEqual(all);
  expect(await messagesOf('newest', 1_000)).toEqual(all.toReversed());
});

test('pages hold every conversation once', async () => {
  const ids = new Set<string>();
  let page = await listConversationPage(db, userId, { limit: 999 });
  page.items.forEach(({ id }) => ids.add(id));
  while (page.next !== null) {
    page = await listConversationPage(db, userId, { limit: 999, after: page.next });
    page.items.forEach(({ id }) => ids.add(id));
  }
  expect(ids.size).toBe(CONVERSATIONS);
});

test.each([
  ['first', NEWEST],
  ['last', new Date(NEWEST.getTime() - (CONVERSATIONS / 2 - 10) * 1_000)],
])('the %s page of conversations is read in the order of its index', async (_which, before) => {
  const after = { micros: String(before.getTime() * 1_000), id: NO_ID };
  const work = () => listConversationPage(db, userId, { limit: 50, after });
  const plan = await planOf(db, statements, work);
  expect(plan).toMatchObject({ indexes: ['ix_conversations_user_page'], isSorted: false });
  expect(plan.buffers).toBeLessThanOrEqual(300);
});

test.each(['newest', 'oldest'] as const)(
  'a page of messages, the %s first, is read in the order of its index',
  async (order) => {
    const { next } = await listMessagePage(db, conversationId, { limit: 9_900, order });
    for (const after of [undefined, next ?? undefined]) {
      const work = () => listMessagePage(db, conversationId, { limit: 50, order, after });
      const { indexes, isSorted, buffers } = await planOf(db, statements, work);
      expect(indexes).toContain('ix_messages_conversation_id');
      expect(isSorted).toBe(false);
      expect(buffers).toBeLessThanOrEqual(300);
    }
  },
);
