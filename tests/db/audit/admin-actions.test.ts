import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { recordAdminAction } from '../../../db/audit/admin-actions.js';
import { testDbOfFile } from '../../support/servers.js';

const testDb = testDbOfFile();

test('what an administrator does is kept with when, who, what and details', async () => {
  const actorId = randomUUID();
  const subject = `pipeline:${randomUUID()}`;
  await recordAdminAction(testDb.db, { actorId, action: 'audit:read-any', subject });
  const details = { budget_usd: '2.5' };
  await recordAdminAction(testDb.db, { actorId, action: 'user:set-budget', subject, details });
  const rows = await testDb.db
    .selectFrom('adminActions')
    .selectAll()
    .where('subject', '=', subject)
    .orderBy('id')
    .execute();
  expect(rows).toMatchObject([
    { actorId, action: 'audit:read-any', details: {} },
    { actorId, action: 'user:set-budget', details },
  ]);
  expect(rows.every(({ at }) => Math.abs(Date.now() - at.getTime()) < 60_000)).toBe(true);
});

test.each([
  `update admin_actions set actor_id = gen_random_uuid()`,
  `delete from admin_actions`,
  `delete from admin_actions where false`,
  `truncate admin_actions`,
])('the log is append-only: %s is refused', async (statement) => {
  const order = { actorId: randomUUID(), action: 'audit:read-any', subject: 'x' } as const;
  await recordAdminAction(testDb.db, order);
  await expect(sql.raw(statement).execute(testDb.db)).rejects.toThrow(/append-only/);
});
