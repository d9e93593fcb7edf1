/** Deleting takes everything along. Source: contract, data-model §2.9. */
import type { Db } from '../../db/connect.js';
import { createBusyUser, unusedTables } from '../support/busy-user.js';
import { createTestDb, type TestDb } from '../support/servers.js';
import { dumpDatabase } from '../support/stored-everywhere.js';

let testDb: TestDb;
let db: Db;
beforeAll(async () => {
  testDb = await createTestDb();
  ({ db } = testDb);
});
afterAll(() => testDb.drop());

test('a deleted user leaves nothing behind, in any table', async () => {
  const { userId, ids, mark } = await createBusyUser(db);
  const before = await dumpDatabase(db);
  expect(await unusedTables(db, before)).toEqual([]); // a new table: let a busy user leave something
  await db.deleteFrom('users').where('id', '=', userId).execute();
  const after = await dumpDatabase(db);
  for (const trace of [mark, ...ids]) {
    expect(before).toContain(trace);
    expect(after).not.toContain(trace);
  }
});

test('a deleted conversation takes its messages, events, state and runs along, and no more', async () => {
  const { ids } = await createBusyUser(db);
  const [userId = '', conversationId = '', ownRun = '', otherRun = ''] = ids;
  await db.deleteFrom('conversations').where('id', '=', conversationId).execute();
  const after = await dumpDatabase(db);
  expect(after).not.toContain(conversationId);
  expect(after).not.toContain(ownRun);
  expect(after).toContain(otherRun);
  await db.deleteFrom('users').where('id', '=', userId).execute();
});
