/** Deleting users, record by record. Source: contract, data-model §2.9; docs/decisions/0007. */
import { randomBytes, randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { createUserDeletionActivities } from '../../../activities/maintenance/user-deletion.js';
import { createSigner } from '../../../audit/signing.js';
import { isGenuine, tombstoneSchema } from '../../../audit/tombstone.js';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { PRUNE } from '../../../db/retention.js';
import {
  anonymiseDays,
  closeAccount,
  removeRunsOf,
  removeUser,
} from '../../../db/users/user-deletion.js';
import {
  findUser,
  findUserByEmail,
  insertUser,
  lockUser,
  setUserRole,
} from '../../../db/users/users.js';
import { toBill } from '../../../domain/account/bill.js';
import type { ModelReply } from '../../../domain/agents/models.js';
import { createBusyUser, unusedTables, type BusyUser } from '../../support/busy-user.js';
import { callOf, daysAgo, NOW, runOf, stateOf, wrongDays } from '../../support/old-records.js';
import { admittedRun } from '../../support/runs.js';
import { lockRow } from '../../support/row-lock.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { dumpDatabase } from '../../support/stored-everywhere.js';

let server: TestDb;
let db: Db;
beforeAll(async () => {
  server = await createTestDb();
  ({ db } = server);
});
afterAll(() => server.drop());

const signer = createSigner(randomBytes(32));

const activitiesOn = (published: string[] = []) =>
  createUserDeletionActivities({
    db,
    now: () => NOW,
    signer,
    userWorkflows: {
      cancelRun: () => Promise.resolve('no-workflow'),
      terminateRun: () => Promise.resolve(),
      removeAll: () => Promise.resolve({ found: 0, refused: 0 }),
    },
    userGone: (userId) => Promise.resolve(void published.push(userId)),
    forgetUser: (userId) => Promise.resolve(void published.push(userId)),
    forgetConversations: (ids) => Promise.resolve(void published.push(...ids)),
    closeRun: () => Promise.reject(new Error('no run is open')),
  });

async function deleteWhole(userId: string, published: string[] = []): Promise<void> {
  const activities = activitiesOn(published);
  const environment = new MockActivityEnvironment();
  await environment.run(activities.closeAccount, { userId });
  const removing = environment.run(activities.removeRecords, { userId });
  await expect(removing).resolves.toEqual({ isDone: true });
}

/** A user who has also paid for something. */
async function payingUser(): Promise<BusyUser> {
  const user = await createBusyUser(db);
  const { userId, ids } = user;
  await callOf(db, { userId, pipelineId: ids[2] ?? '', days: 2 });
  for (const days of [2, 0]) {
    await callOf(db, { userId, pipelineId: null, days });
  }
  return user;
}

test('nothing of the user is left in any table, and nothing of others is touched', async () => {
  const other = await payingUser();
  const untouched = await dumpDatabase(db);
  const { userId, email, mark, ids } = await payingUser();
  const before = await dumpDatabase(db);
  expect(await unusedTables(db, before)).toEqual([]); // a new table: let a busy user leave something
  const published: string[] = [];
  await deleteWhole(userId, published);
  const after = await dumpDatabase(db);
  for (const trace of [...ids, email, mark]) {
    expect(before).toContain(trace);
    expect(after).not.toContain(trace);
  }
  const isAnonymous = (line: string) =>
    /^(anonymous_days|audit_tombstones) /.test(line) ||
    (line.startsWith('cost_ledger ') && !line.includes(other.userId));
  const lines = (dump: string) => dump.split('\n').filter((line) => !isAnonymous(line));
  expect(lines(after).sort()).toEqual(lines(untouched).sort());
  expect(published).toEqual([userId, ids[1], userId]);
  await deleteWhole(userId); // may be repeated
});

test('the money stays, by day, without a person', async () => {
  const spent = async () => {
    const { rows } = await sql<object>`
      select date, provider, model, state, prompt_tokens, completion_tokens, cost::text, reserved
      from cost_ledger order by date, cost`.execute(db);
    return rows;
  };
  const { userId, mark, ids } = await payingUser();
  const before = await spent();
  const ofUser = await db
    .selectFrom('costLedger')
    .select('id')
    .where('userId', '=', userId)
    .execute();
  expect(ofUser).toHaveLength(4);
  await deleteWhole(userId);
  expect(await spent()).toEqual(before);
  expect(await wrongDays(db)).toEqual([]);
  const left = await db.selectFrom('costLedger').selectAll().where('userId', 'is', null).execute();
  const texts = JSON.stringify([left, await db.selectFrom('anonymousDays').selectAll().execute()]);
  for (const trace of [...ids, mark, ...ofUser.map(({ id }) => id), 'asked-by-somebody', ':one:']) {
    expect(texts).not.toContain(trace);
  }
  const times = left.map(({ createdAt }) => createdAt.toISOString().slice(10));
  expect(new Set(times)).toEqual(new Set(['T00:00:00.000Z']));
});

test('of deleted users, too, money goes by its age, a day with its calls', async () => {
  const { id: userId } = await createTestUser(db);
  for (const days of [100, 100, 99, 80]) {
    await callOf(db, { userId, pipelineId: null, days });
  }
  await deleteWhole(userId);
  const before = daysAgo(90);
  const prune = (limit: number) => PRUNE['ledger-days'](db, { before, limit });
  expect([await prune(1), await prune(10)]).toEqual([1, 1]);
  expect(await wrongDays(db)).toEqual([]);
  const { rows } = await sql`select 1 from cost_ledger where date < '2026-08-26'`.execute(db);
  expect(rows).toEqual([]);
});

describe('a call that is under way when its user goes', () => {
  const billing = (userId: string) => ({
    ...{ userId, stepId: `${randomUUID()}:one:0`, runId: 'r', attempt: 1 },
    ...{ pipelineId: null, conversationId: null },
  });
  const model = { provider: 'openai', model: 'gpt-4o' } as const;
  const estimate = {
    ...model,
    ...{ promptTokens: 1_000, maxTokens: 1_000, minTokens: 256, callNumber: 1 },
    ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '7' },
  };
  const usage = { promptTokens: 1, completionTokens: 1 };
  const bill = toBill(estimate, usage);
  const reply: ModelReply = {
    ...model,
    content: 'a late reply',
    finish: 'stop',
    usage,
    requestId: null,
  };

  test('stays charged as of unknown end, and no reply of it is stored', async () => {
    const { id: userId } = await createTestUser(db);
    const ledger = createLedger(db, () => NOW);
    const call = billing(userId);
    const reserved = await ledger.reserve(call, estimate);
    await deleteWhole(userId);
    const callId = 'kind' in reserved ? '' : reserved.callId;
    const settling = ledger.settle(call, { callId, reply, bill, fallbackFrom: null, calls: 1 });
    await expect(settling).rejects.toMatchObject({ code: 'internal' });
    await ledger.release(callId, { errorCode: 'model-timeout' });
    await ledger.leaveUnknown(callId, { errorCode: 'model-timeout' });
    const left = await db
      .selectFrom('costLedger')
      .select(['cost', 'reserved', 'userId', 'errorCode'])
      .where('state', '=', 'unknown')
      .execute();
    const charged = { cost: '0.008000000000', reserved: '0.008000000000' };
    expect(left).toEqual([{ ...charged, userId: null, errorCode: null }]);
    expect(await wrongDays(db)).toEqual([]);
    expect(await dumpDatabase(db)).not.toContain('a late reply');
  });

  test('is settled as usual while the rest is being removed', async () => {
    const { id: userId } = await createTestUser(db);
    const ledger = createLedger(db, () => NOW);
    const call = billing(userId);
    const reserved = await ledger.reserve(call, estimate);
    await closeAccount(db, userId, NOW);
    const callId = 'kind' in reserved ? '' : reserved.callId;
    await ledger.settle(call, { callId, reply, bill, fallbackFrom: null, calls: 1 });
    await expect(ledger.reserve(billing(userId), estimate)).rejects.toMatchObject({
      code: 'not-found',
    });
    await deleteWhole(userId);
    expect(await wrongDays(db)).toEqual([]);
  });

  test('is settled first if it comes first', async () => {
    const { id: userId } = await createTestUser(db);
    const ledger = createLedger(db, () => NOW);
    const reserved = await ledger.reserve(billing(userId), estimate);
    const callId = 'kind' in reserved ? '' : reserved.callId;
    const lock = await lockRow(
      db,
      sql`with call as (
        update cost_ledger set cost = 0.001, state = 'settled' where id = ${callId}::uuid
        returning user_id, reserved
      )
      update user_daily_costs as day set total_cost = day.total_cost - call.reserved + 0.001
      from call where day.user_id = call.user_id returning day.id`,
    );
    const deleting = deleteWhole(userId);
    await lock.awaited();
    lock.release();
    await deleting;
    expect(await wrongDays(db)).toEqual([]);
  });

  test('is not lost if it is reserved between two steps', async () => {
    const { id: userId } = await createTestUser(db);
    await anonymiseDays(db, userId, 10);
    await callOf(db, { userId, pipelineId: null, days: 0 });
    const { length } = await db.selectFrom('costLedger').select('id').execute();
    await closeAccount(db, userId, NOW);
    await removeUser(db, userId, () => ({}));
    expect(await db.selectFrom('costLedger').select('id').execute()).toHaveLength(length);
    expect(await wrongDays(db)).toEqual([]);
  });
});

describe('from the order on', () => {
  test('the user counts as gone, and the address is free', async () => {
    const { id, email } = await createTestUser(db);
    expect(await closeAccount(db, id, NOW)).toBe(true);
    expect(await closeAccount(db, id, NOW)).toBe(false);
    expect([await findUser(db, id), await findUserByEmail(db, email)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(await setUserRole(db, { userId: id, role: 'admin' })).toBeUndefined();
    const account = { id: randomUUID(), email, hashedPassword: '', displayName: 'Anew' };
    expect(await insertUser(db, account)).toMatchObject({ id: account.id, email });
    await deleteWhole(id);
    expect(await findUserByEmail(db, email)).toMatchObject({ id: account.id });
  });

  test('nothing is admitted any more', async () => {
    const { id: userId } = await createTestUser(db);
    await closeAccount(db, userId, NOW);
    const gone = { code: 'not-found' };
    await expect(admittedRun(db, { userId }, NOW)).rejects.toMatchObject(gone);
    await expect(db.transaction().execute((tx) => lockUser(tx, userId))).rejects.toMatchObject(
      gone,
    );
  });

  test('what is stored at the same time goes along', async () => {
    const { id: userId } = await createTestUser(db);
    await closeAccount(db, userId, NOW);
    await removeRunsOf(db, userId, { limit: 10, tombstoneOf: () => ({}) });
    const conversationId = await stateOf(db, { userId, days: 0 });
    await removeUser(db, userId, () => ({}));
    expect(await dumpDatabase(db)).not.toContain(conversationId);
  });
});

test('a user whose deletion was not ordered is not removed', async () => {
  const { id } = await createTestUser(db);
  await removeUser(db, id, () => ({}));
  expect(await findUser(db, id)).toBeDefined();
});

test('more than one batch of everything goes', async () => {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  for (let days = 0; days < 12; days += 1) {
    await callOf(db, { userId, pipelineId: null, days });
  }
  for (let at = 0; at < 25; at += 1) {
    await stateOf(db, { userId, days: 0 });
  }
  const published: string[] = [];
  await deleteWhole(userId, published);
  expect(published).toHaveLength(27);
  expect(await dumpDatabase(db)).not.toContain(userId);
  expect(await wrongDays(db)).toEqual([]);
});

test('archives go with their user; a signed note that there were any stays, without their texts', async () => {
  const { userId, ids, mark } = await createBusyUser(db);
  const heads = await db
    .selectFrom('archives')
    .select('head')
    .where(({ eb, or }) => or([eb('pipelineId', 'in', ids), eb('conversationId', 'in', ids)]))
    .execute();
  expect(heads).toHaveLength(3);
  await deleteWhole(userId);
  const stones = await db
    .selectFrom('auditTombstones')
    .selectAll()
    .where(
      'head',
      'in',
      heads.map(({ head }) => head),
    )
    .execute();
  expect(stones.map(({ document }) => document)).toMatchObject(
    stones.map(({ head }) => ({ head, removed_on: '2026-11-24', reason: 'user-deleted' })),
  );
  expect(stones).toHaveLength(3);
  for (const { document } of stones) {
    const stone = tombstoneSchema.parse(document);
    expect([isGenuine(stone), stone.signature.key_id]).toEqual([true, signer.keyId]);
    expect(isGenuine({ ...stone, head: 'another' })).toBe(false);
  }
  const texts = JSON.stringify(stones);
  expect([userId, mark, ...ids].filter((trace) => texts.includes(trace))).toEqual([]);
});

test('runs are asked to end first, and made to end when they have had their time', async () => {
  const { id: userId } = await createTestUser(db);
  const pipelineId = await runOf(db, { userId, days: 0, isOpen: true });
  const calls: unknown[] = [];
  const { stopRuns } = createUserDeletionActivities({
    db,
    now: () => NOW,
    signer,
    userWorkflows: {
      cancelRun: (id) => Promise.resolve(calls.push(['cancel', id]) > 0 ? 'no-workflow' : 'asked'),
      terminateRun: (id) => Promise.resolve(void calls.push(['terminate', id])),
      removeAll: () => Promise.reject(new Error('not yet')),
    },
    userGone: () => Promise.resolve(),
    forgetUser: () => Promise.resolve(),
    forgetConversations: () => Promise.resolve(),
    closeRun: async (call) => {
      calls.push(call);
      await (call.onlyPending === true
        ? undefined
        : db
            .updateTable('pipelineExecutions')
            .set({ status: 'cancelled', endedAt: daysAgo(0) })
            .where('id', '=', call.pipelineId)
            .execute());
      return { pipelineId, status: 'cancelled', totalCostUsd: 0 };
    },
  });
  const environment = new MockActivityEnvironment();
  const outcome = { kind: 'cancelled' };
  expect(await environment.run(stopRuns, { userId, how: 'cancel' as const })).toEqual({ open: 1 });
  expect(calls.splice(0)).toEqual([
    ['cancel', pipelineId],
    { pipelineId, outcome, onlyPending: true },
  ]);
  expect(await environment.run(stopRuns, { userId, how: 'look' as const })).toEqual({ open: 1 });
  expect(calls).toEqual([]);
  expect(await environment.run(stopRuns, { userId, how: 'force' as const })).toEqual({ open: 0 });
  expect(calls).toEqual([['terminate', pipelineId], { pipelineId, outcome }]);
});
