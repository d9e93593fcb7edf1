import { randomUUID } from 'node:crypto';
import type { Db } from '../../../db/connect.js';
import { saveDiscussionArchive } from '../../../db/audit/discussion-archives.js';
import { closeRun } from '../../../db/runs/runs.js';
import { saveArchive } from '../../../db/audit/run-archives.js';
import { createArchiveSweep, createDiscussionSweep } from '../../../worker/archiving/sweep.js';
import { admittedRun, createTestConversation } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const START = new Date('2026-11-24T12:00:00Z');
const at = (seconds: number) => new Date(START.getTime() + seconds * 1_000);

let server: TestDb;
let db: Db;
beforeEach(async () => {
  server = await createTestDb();
  ({ db } = server);
});
afterEach(() => server.drop());

async function runEndedAt(seconds: number): Promise<string> {
  const { id: userId } = await createTestUser(db);
  const pipelineId = await admittedRun(db, { userId }, START);
  const end = { pipelineId, outcome: { kind: 'cancelled' }, now: at(seconds) } as const;
  await db.transaction().execute((tx) => closeRun(tx, end));
  return pipelineId;
}

test('a run that ended a while ago without an archive gets an order, and not again at once', async () => {
  let orders = 0;
  const wantArchives = () => void (orders += 1);
  const sweep = createArchiveSweep({ db, wantArchives });
  await admittedRun(db, { userId: (await createTestUser(db)).id }, START); // goes on
  const done = await runEndedAt(3);
  const parts = { head: 'h', bundle: Buffer.alloc(0), nonce: Buffer.alloc(0), sealedBy: 's' };
  await saveArchive(db, { ...parts, pipelineId: done, archivedAt: at(4) });
  await sweep(at(140));
  expect(orders).toBe(0);
  await runEndedAt(98);
  await sweep(at(172)); // a worker is about to order its archive
  expect(orders).toBe(0);
  await sweep(at(174));
  await sweep(at(179));
  expect(orders).toBe(1);
  await sweep(at(205));
  expect(orders).toBe(2);
});

describe('of discussions', () => {
  interface Closed {
    readonly conversationId: string;
    readonly runId: string;
  }

  function looking(closed: readonly Closed[]) {
    const started: string[] = [];
    const looks: Date[] = [];
    const fault: { isAway: boolean; of?: string } = { isAway: false };
    const sweep = createDiscussionSweep({
      db,
      async *listClosed(since) {
        looks.push(since);
        await Promise.resolve();
        yield* closed;
        if (fault.isAway) {
          throw new Error('Temporal is away');
        }
      },
      startArchive: ({ runId, userId }) =>
        runId === fault.of
          ? Promise.reject(new Error('broken'))
          : Promise.resolve(void started.push(`${runId} ${userId}`)),
    });
    return { started, looks, fault, sweep };
  }

  test('each closed run is archived, unless it is already, or its conversation is gone', async () => {
    const { id: userId } = await createTestUser(db);
    const conversationId = await createTestConversation(db, userId);
    const runs = Array.from({ length: 3 }, () => ({ conversationId, runId: randomUUID() }));
    const [first, second, third] = runs.map(({ runId }) => runId);
    const gone = { conversationId: randomUUID(), runId: randomUUID() };
    const archive = { head: 'h', bundle: Buffer.alloc(1), nonce: Buffer.alloc(1), sealedBy: 's' };
    const saved = { ...archive, conversationId, runId: second ?? '', archivedAt: START };
    expect(await saveDiscussionArchive(db, saved)).toBe(true);
    expect(await saveDiscussionArchive(db, saved)).toBe(false);
    expect(await saveDiscussionArchive(db, { ...saved, ...gone })).toBe(false);
    const { started, sweep } = looking([...runs, gone]);
    await sweep(START);
    expect(started.sort()).toEqual([`${first} ${userId}`, `${third} ${userId}`].sort());
  });

  test('many at once are ordered some at a time, round after round', async () => {
    const { id: userId } = await createTestUser(db);
    const conversationId = await createTestConversation(db, userId);
    const runs = Array.from({ length: 22 }, () => ({ conversationId, runId: randomUUID() }));
    const { started, looks, sweep } = looking(runs);
    await sweep(START);
    expect(started).toHaveLength(20);
    await sweep(at(5));
    expect(new Set(started).size).toBe(22);
    expect(started).toHaveLength(22); // those that are being made are left alone
    await sweep(at(10)); // all is ordered: nothing to look for
    expect(looks).toHaveLength(2);
  });

  test('one that cannot be ordered keeps no other from its archive, and is tried again', async () => {
    const { id: userId } = await createTestUser(db);
    const conversationId = await createTestConversation(db, userId);
    const runs = Array.from({ length: 3 }, () => ({ conversationId, runId: randomUUID() }));
    const { started, fault, sweep } = looking(runs);
    const broken = runs[0]?.runId ?? '';
    fault.of = broken;
    await expect(sweep(START)).rejects.toThrow('1 archives could not be ordered');
    expect(started).toHaveLength(2);
    await sweep(at(5)); // it waits
    delete fault.of;
    await sweep(at(66));
    expect(started).toContain(`${broken} ${userId}`);
    expect(started).toHaveLength(3);
  });

  test('the first sweep looks back far, the next ones a little; a sweep that failed is repeated', async () => {
    const { looks, fault, sweep } = looking([]);
    fault.isAway = true;
    await expect(sweep(START)).rejects.toThrow('away');
    fault.isAway = false;
    await sweep(at(5));
    await sweep(at(30)); // too early
    await sweep(at(65));
    const secondsBack = looks.map((since, look) => {
      const now = [START, at(5), at(5)][look] ?? START;
      return (now.getTime() - since.getTime()) / 1_000;
    });
    expect(secondsBack).toEqual([2_592_000, 2_592_000, 300]);
  });
});
