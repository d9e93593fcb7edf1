import { sql } from 'kysely';
import type { Db } from '../../../db/connect.js';
import { listOwnRuns, type RunItem, type RunPageFilter } from '../../../db/runs/run-pages.js';
import { connectRecording, planOf, type SeenStatement } from '../../support/plans.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const RUNS = 100_000;
const OTHERS = 1_000;
/** Two at a time are of the same second; every third has a template, every 5,000th has failed and was dear. */
const TEMPLATE = '00000000-0000-4000-8000-000000000001';
const NEWEST = new Date('2026-11-22T12:00:00Z');

let server: TestDb;
let db: Db;
let userId: string;
let statements: SeenStatement[];

beforeAll(async () => {
  server = await createTestDb();
  ({ db, statements } = connectRecording(server.url));
  userId = (await createTestUser(db, { role: 'pro' })).id;
  const other = (await createTestUser(db, { role: 'pro' })).id;
  const seed = await admittedRun(db, { userId: other }, NEWEST);
  // as many users as make the planner think of one of them as few
  await sql`
    insert into users (id, email, hashed_password, display_name)
    select gen_random_uuid(), 'user-' || n || '@example.com', 'unusable', 'Somebody'
    from generate_series(1, ${OTHERS}::integer) as n`.execute(db);
  await sql`
    insert into pipeline_executions (id, user_id, design_name, design, language, simulated, status, holds_slot,
      agent_count, total_cost, template_id, created_at, ended_at, archived_at)
    select gen_random_uuid(), owner.id, design_name, '{}', language, simulated,
      case when n % 5000 = 0 then 'failed' else 'completed' end, false, agent_count,
      case when n % 5000 = 0 then 1.5 else 0.01 end, case when n % 3 = 0 then ${TEMPLATE}::uuid end,
      created_at - make_interval(secs => n / 2), created_at, created_at
    from pipeline_executions as run, (
      select ${userId}::uuid as id, n from generate_series(1, ${RUNS}::integer) as n
      union all select id, row_number() over () from users where id <> ${userId}::uuid
    ) as owner
    where run.id = ${seed}::uuid`.execute(db);
  await sql`vacuum analyze`.execute(db);
});
afterAll(async () => {
  await db.destroy();
  await server.drop();
});

async function pagesOf(filter: Omit<RunPageFilter, 'after'>): Promise<readonly RunItem[]> {
  const items: RunItem[] = [];
  let page = await listOwnRuns(db, userId, filter);
  items.push(...page.items);
  while (page.next !== null) {
    page = await listOwnRuns(db, userId, { ...filter, after: page.next });
    items.push(...page.items);
  }
  return items;
}

test('pages hold every run once, newest first', async () => {
  const from = new Date(NEWEST.getTime() - 100_000);
  const items = await pagesOf({ limit: 7, from });
  expect(items).toHaveLength(201);
  expect(new Set(items.map(({ id }) => id)).size).toBe(201);
  const times = items.map(({ createdAt }) => createdAt.getTime());
  expect(times).toEqual(times.toSorted((one, another) => another - one));
});

test('filters find what is rare, over pages that may be empty', async () => {
  const failed = await pagesOf({ limit: 50, statuses: ['failed'] });
  expect(failed).toHaveLength(RUNS / 5_000);
  expect(new Set(failed.map(({ status }) => status))).toEqual(new Set(['failed']));
  expect(await pagesOf({ limit: 50, min_cost: '1.5' })).toEqual(failed);
  expect(await pagesOf({ limit: 50, min_cost: '1.5', max_cost: '1.4' })).toEqual([]);
  const both = await pagesOf({ limit: 50, statuses: ['failed'], template_id: TEMPLATE });
  expect(both.map(({ templateId }) => templateId)).toEqual(both.map(() => TEMPLATE));
  expect(both.length).toBeGreaterThan(0);
});

test('a cursor from before `to` is no way around it', async () => {
  const to = new Date(NEWEST.getTime() - 60_000);
  const after = { micros: String(NEWEST.getTime() * 1_000), id: TEMPLATE };
  expect(await listOwnRuns(db, userId, { limit: 5, to, after })).toEqual(
    await listOwnRuns(db, userId, { limit: 5, to }),
  );
});

test('another user sees none of them', async () => {
  const { id } = await createTestUser(db, { role: 'pro' });
  expect(await listOwnRuns(db, id, { limit: 50 })).toEqual({ items: [], next: null });
});

test.each([
  ['first', NEWEST],
  ['last', new Date(NEWEST.getTime() - (RUNS / 2 - 10) * 1_000)],
])('the %s page of 100,000 runs is read in the order of its index', async (_which, before) => {
  const after = { micros: String(before.getTime() * 1_000), id: TEMPLATE };
  const plan = await planOf(db, statements, () => listOwnRuns(db, userId, { limit: 50, after }));
  expect(plan).toMatchObject({ indexes: ['ix_pipeline_executions_user_page'], isSorted: false });
  expect(plan.buffers).toBeLessThanOrEqual(300);
});
