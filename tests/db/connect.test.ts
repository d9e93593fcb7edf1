import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { connectDb, type Db } from '../../db/connect.js';
import { inTransaction } from '../../db/transactions.js';
import { isOutage } from '../../domain/outages.js';
import { testDbOfFile } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const STATEMENT_TIMEOUT_MS = 200;
/** Of a server, during a statement. */
const SILENCE_MS = STATEMENT_TIMEOUT_MS + 1_000;

const testDb = testDbOfFile();
let proxy: TcpProxy;
let db: Db;
beforeEach(async () => {
  const url = new URL(testDb.url);
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const options = {
    poolSize: 1,
    applicationName: 'test',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
  db = connectDb({ url: url.href, ...options });
});
afterEach(async () => {
  await db.destroy();
  await proxy.close();
});

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const failure: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).not.toBeNull();
  return failure;
}

const ask = (on: Db = db) => sql`select 1`.execute(on);

test('a connection that is lost between two statements fails the second one only', async () => {
  const failure = await failureOf(
    db.transaction().execute(async (tx) => {
      await ask(tx);
      await proxy.cut();
      await ask(tx);
    }),
  );
  expect(isOutage(failure)).toBe(true);
  expect(isOutage(await failureOf(ask()))).toBe(true);
  await proxy.restore();
  await ask();
});

test('a server that falls silent fails the statement, and the next one gets another connection', async () => {
  await ask();
  proxy.freeze();
  expect(isOutage(await failureOf(ask()))).toBe(true);
  await proxy.restore();
  await ask();
});

test('a connection is kept through quiet times, which are no silence', async () => {
  const backend = () => sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  const before = await backend();
  await pause(SILENCE_MS + 300);
  expect((await backend()).rows).toEqual(before.rows);
});

test('a statement that takes too long is an outage, a wrong one is not', async () => {
  expect(isOutage(await failureOf(sql`select pg_sleep(5)`.execute(db)))).toBe(true);
  expect(isOutage(await failureOf(sql`select nonsense`.execute(db)))).toBe(false);
  expect(isOutage(new Error('a bug'))).toBe(false);
});

test('a statement is prepared once, and again when a migration has changed what it returns', async () => {
  const createThings = sql`create table if not exists things (id integer, name text)`;
  await createThings.execute(db);
  const read = (on: Db, id = 1) => sql`select * from things where id = ${id}`.execute(on);
  const prepared = async (): Promise<number> => {
    const { rows } = await sql<{ statements: number }>`
      select count(*)::integer as statements from pg_prepared_statements
      where statement like '%from things%' and name <> ''`.execute(db);
    return rows[0]?.statements ?? 0;
  };
  await read(db);
  await read(db, 2);
  expect(await prepared()).toBe(1);
  await sql`alter table things add column colour text`.execute(db);
  await sql`insert into things (id) values (1)`.execute(db);
  expect((await read(db)).rows).toEqual([{ id: 1, name: null, colour: null }]);
  await sql`alter table things add column size integer`.execute(db);
  const { rows } = await inTransaction(db, async (tx) => {
    await sql`select 1`.execute(tx);
    return read(tx);
  });
  expect(rows).toEqual([{ id: 1, name: null, colour: null, size: null }]);
});

test('a statement that fails after it is prepared again reports that failure, not the outdated plan', async () => {
  await sql`create table marks (id integer primary key)`.execute(db);
  const insert = () => sql`insert into marks (id) values (${1}) returning *`.execute(db);
  await insert();
  await sql`alter table marks add column colour text`.execute(db);
  await expect(insert()).rejects.toMatchObject({ code: '23505' });
});

test('statements without end are not all kept prepared', async () => {
  for (let length = 1; length <= 400; length += 1) {
    await sql`select ${sql.join(Array.from({ length }, (_, at) => at))}`.execute(db);
  }
  const { rows } = await sql<{ statements: number }>`
    select count(*)::integer as statements from pg_prepared_statements`.execute(db);
  expect(rows[0]?.statements).toBe(300);
});

test('an address that names a driver of another language is understood', async () => {
  const url = testDb.url.replace(/^postgres(ql)?:/, 'postgresql+asyncpg:');
  const other = connectDb({ url, poolSize: 1, applicationName: 'test' });
  try {
    expect((await sql`select 1 as one`.execute(other)).rows).toEqual([{ one: 1 }]);
  } finally {
    await other.destroy();
  }
});
