import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createRetentionActivities } from '../../activities/maintenance/retention.js';
import { planRerun } from '../../api/runs/rerun.js';
import type { Db } from '../../db/connect.js';
import { appendEvents, lastSeq, readEvents } from '../../db/events.js';
import { PRUNE } from '../../db/retention.js';
import {
  RETENTION_KINDS,
  type RetentionAges,
  type RetentionKind,
} from '../../domain/account/retention.js';
import {
  callOf,
  daysAgo,
  eventsOf,
  NOW,
  runOf,
  stateOf,
  wrongDays,
} from '../support/old-records.js';
import { admittedRun } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';
import { dumpDatabase } from '../support/stored-everywhere.js';

let server: TestDb;
let db: Db;
let userId: string;
beforeAll(async () => {
  server = await createTestDb();
  ({ db } = server);
});
afterAll(() => server.drop());
beforeEach(async () => {
  await sql`truncate users, streams cascade`.execute(db);
  ({ id: userId } = await createTestUser(db, { role: 'admin' }));
});

const prune = (kind: RetentionKind, days: number, limit = 100) =>
  PRUNE[kind](db, { before: daysAgo(days), limit });
const seqsOf = async (streamId: string) =>
  (await readEvents(db, streamId, { after: 0, limit: 100 })).map(({ seq }) => seq);
const idsOf = async (table: 'conversations' | 'pipelineExecutions') =>
  (await db.selectFrom(table).select('id').execute()).map(({ id }) => id);

describe('events', () => {
  test('old ones go, in batches, and the stream goes on counting', async () => {
    const id = await stateOf(db, { userId, days: 100 });
    await eventsOf(db, { streamId: id, conversationId: id, days: [95, 91, 89, 1] });
    expect([await prune('events', 90, 2), await prune('events', 90, 2)]).toEqual([2, 1]);
    expect(await seqsOf(id)).toEqual([4, 5]);
    expect(await prune('events', 90)).toBe(0);
    expect([await prune('events', 0), await lastSeq(db, id)]).toEqual([2, 5]);
    await eventsOf(db, { streamId: id, conversationId: id, days: [0] });
    expect(await seqsOf(id)).toEqual([6]);
  });

  test('a clock that went back leaves no gap', async () => {
    const id = await stateOf(db, { userId, days: 100 });
    await eventsOf(db, { streamId: id, conversationId: id, days: [80, 100, 80] });
    await prune('events', 90);
    expect(await seqsOf(id)).toEqual([2, 3, 4]);
  });

  test('the streams of runs that have not ended stay whole', async () => {
    const conversationId = await stateOf(db, { userId, days: 100 });
    await runOf(db, { userId, days: 100, conversationId, isOpen: true });
    const alone = await runOf(db, { userId, days: 100, isOpen: true });
    const ended = await runOf(db, { userId, days: 100 });
    await prune('events', 90);
    expect(await seqsOf(conversationId)).toHaveLength(2);
    expect(await seqsOf(alone)).toHaveLength(1);
    expect(await seqsOf(ended)).toEqual([]);
  });
});

describe('runs', () => {
  test('ended ones go with all that they have made; their money stays', async () => {
    const old = await runOf(db, { userId, days: 100 });
    const young = await runOf(db, { userId, days: 80 });
    const open = await runOf(db, { userId, days: 100, isOpen: true });
    expect(await prune('runs', 90)).toBe(1);
    expect((await idsOf('pipelineExecutions')).sort()).toEqual([young, open].sort());
    expect(await prune('replies', 90)).toBe(1); // not the one of the run that is open
    const { length } = await db.selectFrom('costLedger').select('id').execute();
    expect(length).toBe(3);
    await db.deleteFrom('costLedger').execute(); // names runs by id, and is kept on purpose
    expect(await dumpDatabase(db)).not.toContain(old);
  });

  test('what a run that has not ended takes over stays', async () => {
    const source = await runOf(db, { userId, days: 100 });
    const again = await runOf(db, { userId, days: 1, rerunOf: source, isOpen: true });
    expect(await prune('runs', 90)).toBe(0);
    await db
      .updateTable('pipelineExecutions')
      .set({ status: 'completed', endedAt: NOW })
      .where('id', '=', again)
      .execute();
    expect(await prune('runs', 90)).toBe(1);
    expect(await idsOf('pipelineExecutions')).toEqual([again]);
  });

  test('one that is gone cannot be run again, however it goes', async () => {
    const source = await runOf(db, { userId, days: 100 });
    const order = { from: null, changes: new Map() };
    const { rerun } = await planRerun(db, { userId, pipelineId: source }, order);
    await prune('runs', 90);
    const gone = { code: 'not-found', message: 'Pipeline run not found' };
    await expect(admittedRun(db, { userId, rerun }, NOW)).rejects.toMatchObject(gone);
    await expect(planRerun(db, { userId, pipelineId: source }, order)).rejects.toMatchObject(gone);
  });
});

describe('conversations', () => {
  test('quiet ones go with messages, runs and events, busy ones stay', async () => {
    const quiet = await stateOf(db, { userId, days: 100 });
    await runOf(db, { userId, days: 100, conversationId: quiet });
    await db
      .updateTable('conversations')
      .set({ updatedAt: daysAgo(100) })
      .execute();
    const young = await stateOf(db, { userId, days: 80 });
    const busy = await stateOf(db, { userId, days: 100 });
    await runOf(db, { userId, days: 100, conversationId: busy, isOpen: true });
    expect(await prune('conversations', 90)).toBe(1);
    expect((await idsOf('conversations')).sort()).toEqual([young, busy].sort());
    expect(await idsOf('pipelineExecutions')).toHaveLength(1);
    await db.deleteFrom('costLedger').execute();
    expect(await dumpDatabase(db)).not.toContain(quiet);
  });

  test('one whose run is being run again stays', async () => {
    const conversationId = await stateOf(db, { userId, days: 100 });
    const source = await runOf(db, { userId, days: 100, conversationId });
    await db
      .updateTable('conversations')
      .set({ updatedAt: daysAgo(100) })
      .execute();
    await runOf(db, { userId, days: 1, rerunOf: source, isOpen: true });
    expect(await prune('conversations', 90)).toBe(0);
  });

  test('a message that comes while it is looked at keeps it', async () => {
    const id = await stateOf(db, { userId, days: 100 });
    await db.transaction().execute(async (tx) => {
      const steps = [{ stepKey: 'x', event: { type: 'pipeline_failed' } as never }];
      await appendEvents(tx, { streamId: id, conversationId: id, steps });
      await tx.updateTable('conversations').set({ updatedAt: NOW }).where('id', '=', id).execute();
      expect(await prune('conversations', 90)).toBe(0); // does not wait either
    });
    expect(await prune('conversations', 90)).toBe(0);
  });
});

describe('the ledger', () => {
  test('a day goes with its calls, and every other day is still their sum', async () => {
    for (const days of [100, 100, 91, 89]) {
      await callOf(db, { userId, pipelineId: null, days });
    }
    const { id: other } = await createTestUser(db);
    await callOf(db, { userId: other, pipelineId: null, days: 89 });
    expect([await prune('ledger-days', 90, 1), await prune('ledger-days', 90, 1)]).toEqual([1, 1]);
    expect(await prune('ledger-days', 90)).toBe(0);
    expect(await wrongDays(db)).toEqual([]);
    const left = await db.selectFrom('costLedger').select('date').execute();
    expect(left.map(({ date }) => date)).toEqual(['2026-08-27', '2026-08-27']);
  });

  test('a day on which an open run has called stays', async () => {
    await runOf(db, { userId, days: 100, isOpen: true });
    await callOf(db, { userId, pipelineId: null, days: 100 });
    expect(await prune('ledger-days', 90)).toBe(0);
  });
});

test('refresh tokens go when they have run out', async () => {
  for (const expiresAt of [daysAgo(1), daysAgo(-1)]) {
    const token = { id: randomUUID(), userId, familyId: randomUUID(), expiresAt };
    await db.insertInto('refreshTokens').values(token).execute();
  }
  expect(await prune('refresh-tokens', 0)).toBe(1);
  expect(await db.selectFrom('refreshTokens').select('id').execute()).toHaveLength(1);
});

describe('the activity', () => {
  const FOR_EVER = { eventsDays: 0, runsDays: 0, conversationsDays: 0, ledgerDays: 0 };
  const removedBy = async (ages: Partial<RetentionAges>) => {
    const removed: Partial<Record<RetentionKind, number>> = {};
    const { prune } = createRetentionActivities({
      db,
      now: () => NOW,
      retention: { ...FOR_EVER, ...ages },
      countRemoved: (kind, rows) => (removed[kind] = (removed[kind] ?? 0) + rows),
    });
    for (const kind of RETENTION_KINDS) {
      expect(await prune({ kind })).toEqual({ removed: removed[kind] ?? 0, isDone: true });
    }
    return removed;
  };

  test('removes by the ages that are set, and 0 means for ever', async () => {
    const conversationId = await stateOf(db, { userId, days: 100 });
    await runOf(db, { userId, days: 100, conversationId });
    await db
      .updateTable('conversations')
      .set({ updatedAt: daysAgo(100) })
      .execute();
    await runOf(db, { userId, days: 400 });
    const before = await dumpDatabase(db);
    expect(await removedBy({})).toEqual({ 'refresh-tokens': 0 });
    expect(await dumpDatabase(db)).toBe(before);
    const kept = { eventsDays: 101, runsDays: 401, conversationsDays: 101, ledgerDays: 401 };
    expect(await removedBy({ ...kept, eventsDays: 401 })).toMatchObject({ events: 0, runs: 0 });
    expect(await removedBy({ ...kept, runsDays: 365 })).toMatchObject({ runs: 1, replies: 1 });
    expect(await removedBy({ eventsDays: 99 })).toMatchObject({ events: 3 });
    expect(await removedBy({ conversationsDays: 99 })).toMatchObject({ conversations: 1 });
    expect(await removedBy({ ledgerDays: 99 })).toMatchObject({ 'ledger-days': 2 });
    expect(await wrongDays(db)).toEqual([]);
  });

  test('goes on until there is nothing left', async () => {
    const tokens = Array.from({ length: 2_500 }, () => ({
      ...{ id: randomUUID(), userId, familyId: randomUUID(), expiresAt: daysAgo(1) },
    }));
    await db.insertInto('refreshTokens').values(tokens).execute();
    expect(await removedBy({})).toEqual({ 'refresh-tokens': 2_500 });
  });
});
