import { randomUUID } from 'node:crypto';
import type { Db } from '../../db/connect.js';
import { saveDiscussionArchive } from '../../db/discussion-archives.js';
import { closeRun } from '../../db/pipelines.js';
import { saveArchive } from '../../db/run-archives.js';
import { createArchiveSweep, createDiscussionSweep } from '../../worker/archive-sweep.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

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

function sweeping() {
  const ordered: string[] = [];
  const fault = { isAway: false };
  const sweep = createArchiveSweep({
    db,
    startArchive: ({ id }) => {
      if (fault.isAway) {
        return Promise.reject(new Error('Temporal is away'));
      }
      return Promise.resolve(void ordered.push(id));
    },
  });
  return { ordered, fault, sweep };
}

test('a run that ended a while ago without an archive gets one; one that has it does not', async () => {
  const { ordered, sweep } = sweeping();
  const [first, second, young] = [await runEndedAt(1), await runEndedAt(2), await runEndedAt(20)];
  const done = await runEndedAt(3);
  const parts = { head: 'h', bundle: Buffer.alloc(0), nonce: Buffer.alloc(0), sealedBy: 's' };
  await saveArchive(db, { ...parts, pipelineId: done, archivedAt: at(4) });
  await admittedRun(db, { userId: (await createTestUser(db)).id }, START); // goes on
  await sweep(at(40));
  expect(ordered.splice(0)).toEqual([first, second]);
  await sweep(at(60));
  expect(ordered.splice(0)).toEqual([young]);
  await sweep(at(700)); // ordered long ago, and not made
  expect(ordered).toEqual([first, second, young]);
});

test('an order that fails is given again in the next round', async () => {
  const { ordered, fault, sweep } = sweeping();
  const run = await runEndedAt(1);
  fault.isAway = true;
  await expect(sweep(at(40))).rejects.toThrow('away');
  fault.isAway = false;
  await sweep(at(45));
  expect(ordered).toEqual([run]);
});

test('all runs of a release without archives are ordered, some at a time', async () => {
  const { ordered, sweep } = sweeping();
  const runs: string[] = [];
  for (let count = 0; count < 22; count += 1) {
    runs.push(await runEndedAt(count));
  }
  await sweep(at(100));
  expect(ordered).toEqual(runs.slice(0, 20));
  await sweep(at(105));
  expect(ordered).toEqual(runs);
});

describe('of discussions', () => {
  interface Closed {
    readonly conversationId: string;
    readonly runId: string;
  }

  function looking(closed: readonly Closed[]) {
    const started: string[] = [];
    const looks: Date[] = [];
    const fault = { isAway: false };
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
      startArchive: ({ runId, userId }) => Promise.resolve(void started.push(`${runId} ${userId}`)),
    });
    return { started, looks, fault, sweep };
  }

  test('each closed run is archived, unless it is, or its conversation is gone', async () => {
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

  test('the first look goes back far, the next ones a little; a look that failed is repeated', async () => {
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
