/** What one account may use of what all share: rows, bytes, starts, and entries of a list. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { admitRun } from '../../db/runs/admission.js';
import { insertConversation, listConversations } from '../../db/discussions/conversations.js';
import { listMessages } from '../../db/discussions/messages.js';
import {
  forkTemplate,
  insertTemplate,
  listSharedTemplates,
  updateTemplate,
} from '../../db/runs/templates.js';
import { BOUNDS } from '../../domain/account/permissions.js';
import { startApiServer, type ApiServer } from '../support/api-server.js';
import { createTestConversation, runRequestOf } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

let testDb: TestDb;
beforeEach(async () => {
  testDb = await createTestDb();
});
afterEach(() => testDb.drop());

const NOON = new Date('2026-11-30T12:00:00Z');

test('starting and cancelling ends at ten times the quota, until the next UTC day', async () => {
  const { db } = testDb;
  const { id: userId } = await createTestUser(db);
  const startAndCancel = async (now: Date) => {
    const order = runRequestOf(userId);
    const admission = await admitRun(db, order, now);
    await db
      .updateTable('pipelineExecutions')
      .set({ holdsSlot: false, status: 'cancelled', countedOn: null }) // it called no provider
      .where('userId', '=', userId)
      .execute();
    return admission;
  };
  const { maxStartsPerDay } = BOUNDS.free;
  for (let run = 0; run < maxStartsPerDay; run += 1) {
    expect((await startAndCancel(NOON)).kind).toBe('admitted');
  }
  expect(await startAndCancel(NOON)).toEqual({ kind: 'refused', code: 'pipelines-per-day' });
  expect((await startAndCancel(new Date('2026-12-01T00:00:00Z'))).kind).toBe('admitted');
});

test('a user has so many conversations, exactly, however many come at once', async () => {
  const { db } = testDb;
  const { id: userId } = await createTestUser(db);
  const { maxConversations } = BOUNDS.free;
  await sql`insert into conversations (id, user_id, title)
    select gen_random_uuid(), ${userId}::uuid, 'full' from generate_series(4, ${maxConversations})`.execute(
    db,
  );
  const made = await Promise.allSettled(
    Array.from({ length: 10 }, () =>
      insertConversation(db, { id: randomUUID(), userId, title: 'one more' }),
    ),
  );
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  expect(await listConversations(db, userId)).toHaveLength(maxConversations);
});

const template = (userId: string, fields = {}) => ({
  ...{ id: randomUUID(), userId, name: 'T', description: null, graphData: '{}', designData: '{}' },
  ...fields,
});
/** So that it takes what it says: nothing of it can be compressed. */
const noise = (bytes: number): string =>
  JSON.stringify({ noise: Array.from({ length: bytes / 36 }, () => randomUUID()).join('') });

test('templates take so many bytes in all: a new one, a copy or a change beyond is refused', async () => {
  const { db } = testDb;
  const { id: userId } = await createTestUser(db);
  const { id: other } = await createTestUser(db);
  const documents = { graphData: noise(500_000), designData: noise(500_000) };
  const small = await insertTemplate(db, template(userId));
  const full = { code: 'limit-reached', message: expect.stringContaining('20 MB') };
  const fill = async (): Promise<unknown> => {
    for (;;) {
      await insertTemplate(db, template(userId, documents));
    }
  };
  await expect(fill()).rejects.toMatchObject(full);
  const { bytes } = await db
    .selectFrom('pipelineTemplates')
    .select(sql<number>`sum(pg_column_size(graph_data) + pg_column_size(design_data))`.as('bytes'))
    .where('userId', '=', userId)
    .executeTakeFirstOrThrow();
  expect(bytes).toBeLessThanOrEqual(BOUNDS.free.maxTemplateBytes);
  const key = { userId, templateId: small.id };
  await expect(updateTemplate(db, key, documents)).rejects.toMatchObject(full);
  expect(await updateTemplate(db, key, { name: 'renamed' })).toMatchObject({ name: 'renamed' });
  const shared = await insertTemplate(db, template(other, { ...documents, isPublic: true }));
  const copy = forkTemplate(db, { id: randomUUID(), userId, templateId: shared.id });
  await expect(copy).rejects.toMatchObject(full);
});

test('no account fills the shared list alone, and its pages hold those of all', async () => {
  const { db } = testDb;
  const [quiet, loud] = [await createTestUser(db), await createTestUser(db)];
  const share = async (userId: string, count: number): Promise<readonly string[]> => {
    const ids: string[] = [];
    for (let made = 0; made < count; made += 1) {
      const { id } = await insertTemplate(db, template(userId, { isPublic: true }));
      ids.push(id);
    }
    return ids;
  };
  const theirs = await share(quiet.id, 3);
  await share(loud.id, 50);
  const first = await listSharedTemplates(db);
  expect(first).toHaveLength(50);
  expect(first.map(({ id }) => id)).toEqual(expect.arrayContaining([...theirs]));
  expect(first.map(({ updatedAt }) => updatedAt.getTime())).toEqual(
    first.map(({ updatedAt }) => updatedAt.getTime()).sort((a, b) => b - a),
  );
  const second = await listSharedTemplates(db, 1);
  expect(second).toHaveLength(3);
  expect(new Set([...first, ...second].map(({ id }) => id)).size).toBe(53);
});

test('a conversation of very many or very long messages shows the latest of them', async () => {
  const { db } = testDb;
  const { id: userId } = await createTestUser(db);
  const [many, long] = [
    await createTestConversation(db, userId),
    await createTestConversation(db, userId),
  ];
  await sql`insert into messages (id, conversation_id, role, content)
    select gen_random_uuid(), ${many}::uuid, 'user', 'message ' || at from generate_series(1, 10010) as at`.execute(
    db,
  );
  const shown = await listMessages(db, many);
  expect(shown).toHaveLength(10_000);
  expect([shown[0]?.content, shown.at(-1)?.content]).toEqual(['message 11', 'message 10010']);
  await sql`insert into messages (id, conversation_id, role, content)
    select gen_random_uuid(), ${long}::uuid, 'user', at || repeat('x', 1000000) from generate_series(1, 30) as at`.execute(
    db,
  );
  const latest = await listMessages(db, long);
  expect(latest).toHaveLength(16);
  expect(latest.at(-1)?.content).toMatch(/^30x/);
}, 60_000);

describe('metrics on the public port', () => {
  let api: ApiServer;
  beforeAll(async () => {
    api = await startApiServer();
  });
  afterAll(() => api.close());

  test('are answered to this machine', async () => {
    expect((await api.request('/metrics')).status).toBe(200);
  });

  test.each(['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via'])(
    'are refused to a client behind a proxy (%s)',
    async (name) => {
      const response = await api.request('/metrics', { headers: { [name]: '127.0.0.1' } });
      expect(response.status).toBe(403);
      expect(await response.text()).not.toContain('http_requests_total');
    },
  );
});
