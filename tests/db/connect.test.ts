import { sql } from 'kysely';
import { connectDb, type Db } from '../../db/connect.js';
import { isOutage } from '../../domain/outages.js';
import { createTestDb, type TestDb } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

let testDb: TestDb;
let proxy: TcpProxy;
let db: Db;
beforeAll(async () => {
  testDb = await createTestDb();
});
beforeEach(async () => {
  const url = new URL(testDb.url);
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const options = { poolSize: 1, applicationName: 'test', statementTimeoutMs: 200 };
  db = connectDb({ url: url.href, ...options });
});
afterEach(async () => {
  await db.destroy();
  await proxy.close();
});
afterAll(() => testDb.drop());

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

test('a statement that takes too long is an outage, a wrong one is not', async () => {
  expect(isOutage(await failureOf(sql`select pg_sleep(5)`.execute(db)))).toBe(true);
  expect(isOutage(await failureOf(sql`select nonsense`.execute(db)))).toBe(false);
  expect(isOutage(new Error('a bug'))).toBe(false);
});
