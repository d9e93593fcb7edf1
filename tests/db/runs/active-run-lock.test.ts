import { appendEvents } from '../../../db/events.js';
import { closeRun } from '../../../db/runs/runs.js';
import { lockOwner, suspendRun, takeSlot } from '../../../db/runs/active-run-lock.js';
import { inTransaction } from '../../../db/transactions.js';
import type { Db } from '../../../db/connect.js';
import type { WaitReason } from '../../../domain/run/results.js';
import { untilBlocked } from '../../support/locks.js';
import { admittedRun, createTestConversation } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

let server: TestDb;
let db: Db;
beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
});
afterAll(async () => {
  await server.drop();
});

const NOW = new Date('2026-11-24T12:00:00Z');
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);

const park = (pipelineId: string, reason: WaitReason = 'approval', now = NOW) =>
  inTransaction(db, (tx) => suspendRun(tx, { pipelineId, reason, now }));
const take = (pipelineId: string, now = NOW) =>
  inTransaction(db, (tx) => takeSlot(tx, { pipelineId, now }));
const close = (pipelineId: string) =>
  inTransaction(db, (tx) => closeRun(tx, { pipelineId, outcome: { kind: 'ended' }, now: NOW }));

async function holdersOf(userId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', userId)
    .where('holdsSlot', '=', true)
    .execute();
  return rows.map(({ id }) => id);
}

/** Runs of one user that all wait for a person. */
async function parkedRuns(count: number) {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  const runs: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const run = await admittedRun(db, { userId }, NOW);
    await park(run);
    runs.push(run);
  }
  return { userId, runs };
}

test('a run that waits gives its lock back, and takes a free one again', async () => {
  const { userId, runs } = await parkedRuns(1);
  expect(await holdersOf(userId)).toEqual([]);
  expect(await take(runs[0] ?? '')).toBe('taken');
  expect(await take(runs[0] ?? '')).toBe('taken'); // again, after a lost task
  expect(await holdersOf(userId)).toEqual(runs);
});

test('the lock is handed to the run that has queued longest, however it was given back', async () => {
  const { userId, runs } = await parkedRuns(3);
  const [first = '', second = '', third = ''] = runs;
  expect(await take(first)).toBe('taken');
  expect(await take(third, later(1))).toBe('queued');
  expect(await take(second, later(2))).toBe('queued');
  expect(await take(third, later(3))).toBe('queued'); // asked again, it keeps its turn
  expect((await close(first)).grantedTo).toBe(third);
  expect(await holdersOf(userId)).toEqual([third]);
  expect(await park(third, 'pause')).toEqual({ kind: 'parked', grantedTo: second });
  expect(await take(second)).toBe('taken');
  expect((await close(second)).grantedTo).toBeNull();
  expect(await holdersOf(userId)).toEqual([]);
});

test('a run whose end waits for its owner ends as it is by then', async () => {
  const { userId, runs } = await parkedRuns(3);
  const [first = '', second = '', third = ''] = runs;
  await take(first);
  await take(second, later(1));
  await take(third, later(2));
  let closing: ReturnType<typeof close> | undefined;
  await inTransaction(db, async (tx) => {
    await lockOwner(tx, first);
    closing = close(first);
    await untilBlocked(db);
    await suspendRun(tx, { pipelineId: first, reason: 'pause', now: NOW });
  });
  expect(await closing).toMatchObject({ kind: 'closed', grantedTo: null }); // it has none to give
  expect(await holdersOf(userId)).toEqual([second]);
});

test('the run that gets the lock is locked before the conversation and its stream', async () => {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  const conversationId = await createTestConversation(db, userId);
  const ofEnding = await createTestConversation(db, userId);
  const next = await admittedRun(db, { userId, conversationId }, NOW);
  await park(next);
  const ending = await admittedRun(db, { userId, conversationId: ofEnding }, NOW);
  await take(next);
  const steps = [
    { stepKey: 'one', event: { type: 'pipeline_resumed', pipeline_id: next } },
  ] as const;
  for (const id of [conversationId, ofEnding]) {
    await inTransaction(db, (tx) => appendEvents(tx, { streamId: id, conversationId: id, steps }));
  }
  let closing: ReturnType<typeof close> | undefined;
  await inTransaction(db, async (tx) => {
    await tx.selectFrom('pipelineExecutions').where('id', '=', next).forShare().execute();
    closing = close(ending);
    await untilBlocked(db);
    for (const table of ['conversations', 'streams'] as const) {
      const rows = tx.selectFrom(table).select('id').where('id', 'in', [conversationId, ofEnding]);
      expect(await rows.forUpdate().noWait().execute()).toHaveLength(2);
    }
  });
  expect(await closing).toMatchObject({ kind: 'closed', grantedTo: next });
});

test('a run that has ended neither waits nor queues', async () => {
  const { runs } = await parkedRuns(1);
  await close(runs[0] ?? '');
  expect(await park(runs[0] ?? '')).toEqual({ kind: 'ended' });
  expect(await take(runs[0] ?? '')).toBe('ended');
});

test('runs that wake at once: one has the lock, each other one gets it in its turn', async () => {
  const { userId, runs } = await parkedRuns(8);
  const outcomes = await Promise.all(runs.map((run) => take(run)));
  expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(1);
  const served = new Set<string>();
  for (let turn = 0; turn < runs.length; turn += 1) {
    const [holder = '', ...others] = await holdersOf(userId);
    expect(others).toEqual([]);
    served.add(holder);
    await close(holder);
  }
  expect(served).toEqual(new Set(runs));
});

test('a run that is closed while others begin to queue leaves the lock to one of them', async () => {
  const { userId, runs } = await parkedRuns(4);
  const [holder = '', ...others] = runs;
  await take(holder);
  await Promise.all([close(holder), ...others.map((run) => take(run))]);
  expect(await holdersOf(userId)).toHaveLength(1);
});
