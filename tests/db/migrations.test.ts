/** Migrations that change rows, on a database as the release before has left it. */
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { connectDb, type Db } from '../../db/connect.js';
import { listMigrations, migrate } from '../../db/migrate.js';
import { MIGRATIONS } from '../../db/migrations/index.js';
import { testServers } from '../support/servers.js';

let name: string;
let db: Db;

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: testServers().databaseUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}

beforeEach(async () => {
  name = `migrations_${randomUUID().replaceAll('-', '')}`;
  await administer(`create database ${name}`);
  const url = new URL(testServers().databaseUrl);
  url.pathname = `/${name}`;
  db = connectDb({ url: url.href, poolSize: 2, applicationName: 'test', statementTimeoutMs: 0 });
});
afterEach(async () => {
  await db.destroy();
  await administer(`drop database ${name} with (force)`);
});

async function migrateTo(migration: string, migrations = MIGRATIONS): Promise<void> {
  const provider = { getMigrations: () => Promise.resolve({ ...migrations }) };
  const { error } = await new Migrator({ db, provider }).migrateTo(migration);
  expect(error).toBeUndefined();
}

test('every file of db/migrations/ is listed', () => {
  const names = readdirSync('db/migrations')
    .filter((file) => file !== 'index.ts')
    .map((file) => file.replace(/\.ts$/, ''));
  expect(Object.keys(MIGRATIONS).sort()).toEqual(names.sort());
});

test('a migration that comes after a later one had been applied is applied, too', async () => {
  const late = '2026-11-24T08-stream-owners';
  const others = Object.entries(MIGRATIONS).filter(([each]) => each !== late);
  await migrateTo(others.at(-1)?.[0] ?? '', Object.fromEntries(others));
  expect(await migrate(db)).toMatchObject([{ migrationName: late, status: 'Success' }]);
  const pending = (await listMigrations(db)).filter(({ executedAt }) => executedAt === undefined);
  expect(pending).toEqual([]);
});

test('2026-11-24T08: streams get the owner that their id names; those without one go', async () => {
  await migrateTo('2026-11-23T02-agent-outcomes');
  const [user, state, run, orphan] = Array.from({ length: 4 }, () => randomUUID());
  await sql`insert into users (id, email, hashed_password, display_name)
    values (${user}, 'a@example.com', 'x', 'A')`.execute(db);
  await sql`insert into conversations (id, user_id, title) values (${state}, ${user}, 't')`.execute(
    db,
  );
  await sql`insert into pipeline_executions (id, user_id, design_name, design, holds_slot)
    values (${run}, ${user}, 'd', '{}', false)`.execute(db);
  for (const id of [state, run, orphan]) {
    await sql`insert into streams (id, last_seq) values (${id}, 1)`.execute(db);
    await sql`insert into stream_events (stream_id, seq, step_key, event)
      values (${id}, 1, 'one', '{}')`.execute(db);
  }
  await migrateTo('2026-11-24T08-stream-owners');
  const streams = await db.selectFrom('streams').selectAll().execute();
  expect(streams).toHaveLength(2);
  expect(streams).toEqual(
    expect.arrayContaining([
      { id: state, lastSeq: 1, conversationId: state, pipelineId: null },
      { id: run, lastSeq: 1, conversationId: null, pipelineId: run },
    ]),
  );
  expect(await db.selectFrom('streamEvents').select('streamId').execute()).toHaveLength(2);
});

test('2026-12-02T02: a conversation with two unended runs keeps both, and gets no third', async () => {
  await migrateTo('2026-12-01T61-server-key-days');
  const [user, state, old, latest] = Array.from({ length: 4 }, () => randomUUID());
  await sql`insert into users (id, email, hashed_password, display_name)
    values (${user}, 'a@example.com', 'x', 'A')`.execute(db);
  await sql`insert into conversations (id, user_id, title) values (${state}, ${user}, 't')`.execute(
    db,
  );
  const add = (id: string | undefined, createdAt: string, more = '') =>
    sql`insert into pipeline_executions
      (id, user_id, conversation_id, design_name, design, status, holds_slot, created_at
        ${sql.raw(more === '' ? '' : ', holds_conversation')})
      values (${id}, ${user}, ${state}, 'd', '{}', 'running', false, ${createdAt}
        ${sql.raw(more === '' ? '' : `, ${more}`)})`.execute(db);
  await add(old, '2026-11-29T00:00:00Z');
  await add(latest, '2026-11-30T00:00:00Z');
  await migrateTo('2026-12-02T02-one-run-per-conversation');
  const runs = await db
    .selectFrom('pipelineExecutions')
    .select(['id', 'holdsConversation'])
    .orderBy('createdAt')
    .execute();
  expect(runs).toEqual([
    { id: old, holdsConversation: false },
    { id: latest, holdsConversation: true },
  ]);
  await expect(add(randomUUID(), '2026-12-01T00:00:00Z', 'true')).rejects.toThrow(
    'uq_one_run_per_conversation',
  );
});
