/** Plans are made once for all parameters, and must use the partial indexes that were made for them. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { admitRun } from '../../db/runs/admission.js';
import { listUnendedRuns } from '../../db/users/administration.js';
import type { Db } from '../../db/connect.js';
import { countOpenRuns } from '../../db/runs/runs.js';
import { findUnarchivedRuns } from '../../db/audit/run-archives.js';
import { listSharedTemplates } from '../../db/runs/templates.js';
import { connectRecording, type SeenStatement } from '../support/plans.js';
import { admittedRun, runRequestOf } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

const ENDED_RUNS = 5_000;
const NOW = new Date('2026-11-22T12:00:00Z');

const OF_UNENDED_RUNS = /^ix_pipeline_executions_(?:open|unended)$/;

let server: TestDb;
let db: Db;
let userId: string;
let statements: SeenStatement[];

beforeAll(async () => {
  server = await createTestDb();
  ({ db, statements } = connectRecording(server.url));
  userId = (await createTestUser(db, { role: 'pro' })).id;
  await admittedRun(db, { userId }, NOW);
  await sql`
    insert into pipeline_executions
    select (jsonb_populate_record(run, jsonb_build_object('id', gen_random_uuid(), 'status', 'completed',
      'holds_slot', false, 'created_at', run.created_at - make_interval(hours => hour),
      'ended_at', run.created_at, 'archived_at', run.created_at))).*
    from pipeline_executions as run, generate_series(1, ${ENDED_RUNS}::integer) as hour`.execute(
    db,
  );
  await sql`
    insert into pipeline_templates (id, user_id, name, description, graph_data, design_data, is_public)
    select gen_random_uuid(), ${userId}::uuid, 'A private one', '', '{}', '{}', number = 1
    from generate_series(1, ${ENDED_RUNS}::integer) as number`.execute(db);
  await sql`analyze`.execute(db);
});
afterAll(async () => {
  await db.destroy();
  await server.drop();
});

/** @returns the indexes that the plans of the statements of `work` use */
async function indexesOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  statements.length = 0;
  await work();
  const plans: string[] = [];
  for (const { text } of statements.filter((it) => /^\s*(select|with|update)/i.test(it.text))) {
    const explain = sql<{ 'QUERY PLAN': string }>`explain (generic_plan) ${sql.raw(text)}`;
    const { rows } = await explain.execute(server.db);
    plans.push(...rows.map((row) => row['QUERY PLAN']));
  }
  return plans.flatMap((line) => /(?:Scan using|Index Scan on) (\w+)/.exec(line)?.[1] ?? []);
}

test.each<[string, RegExp, () => Promise<unknown>]>([
  [
    'whether a user’s slot is taken',
    /^uq_one_run_per_user$/,
    () => admitRun(db, runRequestOf(userId, { pipelineId: randomUUID() }), NOW),
  ],
  ['how many runs are open', OF_UNENDED_RUNS, () => countOpenRuns(db)],
  [
    'runs that have not ended',
    OF_UNENDED_RUNS,
    () => listUnendedRuns(db, { olderThan: NOW, limit: 50 }),
  ],
  [
    'runs without an archive',
    /^ix_pipeline_executions_unarchived$/,
    () => findUnarchivedRuns(db, { from: new Date(0), limit: 10, except: [] }),
  ],
  ['public templates', /^ix_pipeline_templates_public$/, () => listSharedTemplates(db)],
])('%s by %s', async (_what, index, work) => {
  expect(await indexesOf(work)).toContainEqual(expect.stringMatching(index));
});

test('a connection plans once for all parameters', async () => {
  const { rows } = await sql<{ mode: string }>`
    select current_setting('plan_cache_mode') as mode`.execute(db);
  expect(rows).toEqual([{ mode: 'force_generic_plan' }]);
});
