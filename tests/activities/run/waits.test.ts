/** What a run writes when it waits, written again by an attempt that timed out and comes late. */
import { createRunWaitActivities } from '../../../activities/run/waits.js';
import type { Db } from '../../../db/connect.js';
import { readEvents } from '../../../db/events.js';
import { closeRun, openRun } from '../../../db/runs/runs.js';
import { inTransaction } from '../../../db/transactions.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const NOW = new Date('2026-11-24T12:00:00Z');

let server: TestDb;
let db: Db;
beforeAll(async () => {
  server = await createTestDb();
  ({ db } = server);
});
afterAll(() => server.drop());

async function workingRun() {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  const pipelineId = await admittedRun(db, { userId }, NOW);
  await inTransaction(db, (tx) => openRun(tx, pipelineId, { now: NOW }));
  const { parkRun, unparkRun } = createRunWaitActivities({
    ...{ db, now: () => NOW },
    publish: () => undefined,
    tellSlotGranted: () => Promise.resolve(),
  });
  return {
    userId,
    pipelineId,
    suspend: (round: number) => parkRun({ pipelineId, round, reason: 'approval' }),
    resume: (round: number) => unparkRun({ pipelineId, round }),
    end: () =>
      inTransaction(db, (tx) => closeRun(tx, { pipelineId, outcome: { kind: 'ended' }, now: NOW })),
    snapshot: () =>
      db
        .selectFrom('pipelineExecutions')
        .select(['waitingFor', 'holdsSlot'])
        .where('id', '=', pipelineId)
        .executeTakeFirstOrThrow(),
    async published() {
      const events = await readEvents(db, pipelineId, { after: 0, limit: 100 });
      return events.map(({ type }) => type).filter((type) => type !== 'pipeline_started');
    },
  };
}

const WORKING = { waitingFor: null, holdsSlot: true };
const WAITING = { waitingFor: 'approval', holdsSlot: false };

test('a run that works again keeps its lock, even if an old attempt gives it back late', async () => {
  const run = await workingRun();
  await run.suspend(1);
  await run.suspend(1); // the worker was lost before its answer arrived
  expect(await run.snapshot()).toEqual(WAITING);
  expect(await run.resume(2)).toEqual({ kind: 'taken' });
  await run.suspend(1);
  expect(await run.snapshot()).toEqual(WORKING);
  expect(await run.published()).toEqual(['pipeline_waiting', 'pipeline_resumed']);
});

test('a run that waits again holds no lock, even if an old attempt takes one late', async () => {
  const run = await workingRun();
  await run.suspend(1);
  await run.resume(2);
  expect(await run.resume(2)).toEqual({ kind: 'taken' });
  await run.suspend(3);
  await run.resume(2);
  expect(await run.snapshot()).toEqual(WAITING);
});

test('a queued run gets the same answer again, and takes the lock in another round', async () => {
  const run = await workingRun();
  await run.suspend(1);
  const rival = await admittedRun(db, { userId: run.userId }, NOW);
  expect(await run.resume(2)).toEqual({ kind: 'queued' });
  expect(await run.resume(2)).toEqual({ kind: 'queued' });
  await inTransaction(db, (tx) =>
    closeRun(tx, { pipelineId: rival, outcome: { kind: 'ended' }, now: NOW }),
  );
  expect(await run.resume(3)).toEqual({ kind: 'taken' });
  expect(await run.snapshot()).toEqual(WORKING);
});

test('a run that was ended meanwhile takes no lock, even if an earlier attempt had got one', async () => {
  const run = await workingRun();
  await run.suspend(1);
  await run.resume(2);
  await run.end();
  expect(await run.resume(2)).toEqual({ kind: 'ended' });
  expect(await run.snapshot()).toEqual({ waitingFor: null, holdsSlot: false });
});
