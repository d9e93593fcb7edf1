import { sql } from 'kysely';
import type { Tx } from '../../db/connect.js';
import { inTransaction } from '../../db/transactions.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

let server: TestDb;

beforeAll(async () => {
  server = await createTestDb();
});
afterAll(async () => {
  await server.drop();
});

async function rename(tx: Tx, userId: string, displayName: string): Promise<void> {
  await tx.updateTable('users').set({ displayName }).where('id', '=', userId).execute();
}

test('two transactions that wait for each other both come to their end', async () => {
  const { db } = server;
  const [left, right] = [await createTestUser(db), await createTestUser(db)];
  const haveBoth = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  let tries = 0;
  const work = (index: 0 | 1) =>
    inTransaction(db, async (tx) => {
      tries += 1;
      const [first, second] = index === 0 ? [left, right] : [right, left];
      await rename(tx, first.id, `first of ${index}`);
      haveBoth[index]?.resolve(undefined);
      await haveBoth[1 - index]?.promise;
      await rename(tx, second.id, `second of ${index}`);
    });
  await Promise.all([work(0), work(1)]);
  expect(tries).toBeGreaterThanOrEqual(3); // the one run again may get in between once more
  const names = await db.selectFrom('users').select('displayName').orderBy('displayName').execute();
  const loser = names[0]?.displayName.at(-1);
  expect(names.map(({ displayName }) => displayName)).toEqual([
    `first of ${loser}`,
    `second of ${loser}`,
  ]);
});

test('a transaction that always deadlocks reports it; other failures are not repeated', async () => {
  let tries = 0;
  const fail = (code: string) =>
    inTransaction(server.db, async (tx) => {
      tries += 1;
      await sql`do ${sql.raw(`$$ begin raise exception 'x' using errcode = '${code}'; end $$`)}`.execute(
        tx,
      );
    });
  await expect(fail('40P01')).rejects.toMatchObject({ code: '40P01' });
  expect(tries).toBe(4);
  await expect(fail('23505')).rejects.toMatchObject({ code: '23505' });
  expect(tries).toBe(5);
});
