/** What removes: a user's deletion whose history is filled; the nightly removal, its schedule on a real server, and its workflow on what activities say. */
import { randomBytes, randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { Pruning } from '../../../activities/maintenance/retention.js';
import { userDeletionWorkflowId } from '../../../domain/ids.js';
import { RETENTION_KINDS, type RetentionKind } from '../../../domain/account/retention.js';
import type { TemporalClient } from '../../../temporal/connection.js';
import { ensureRetentionSchedule } from '../../../temporal/retention-schedule.js';
import { until } from '../../support/until.js';
import { openWorkflowFixture, type WorkflowFixture } from '../../support/workflow-fixture.js';

let fixture: WorkflowFixture;
let temporal: TemporalClient;
beforeAll(async () => {
  fixture = await openWorkflowFixture();
  ({ temporal } = fixture);
});
afterAll(() => fixture.close());

/** A worker that records its removals, while `work` goes on. */
async function whilePruning(
  taskQueue: string,
  prune: (call: { kind: RetentionKind }) => Promise<Pruning>,
  work: () => Promise<void>,
): Promise<void> {
  const worker = await fixture.workerOf(taskQueue, { prune });
  await worker.runUntil(work);
}

const schedulesOf = async (taskQueue: string) => {
  const found: string[] = [];
  for await (const { scheduleId } of temporal.client.schedule.list()) {
    found.push(...(scheduleId.startsWith(taskQueue) ? [scheduleId] : []));
  }
  return found;
};

test('is scheduled exactly once, by any number of starts, and works through every kind', async () => {
  const taskQueue = `retention-${randomUUID()}`;
  const { schedule } = temporal.client;
  const ensure = () => ensureRetentionSchedule(schedule, taskQueue);
  const made = [...(await Promise.all([ensure(), ensure()])), await ensure()];
  expect(made.sort()).toEqual(['created', 'unchanged', 'unchanged']);
  const listed = await until('it is listed', async () => {
    const ids = await schedulesOf(taskQueue);
    return ids.length > 0 && ids;
  });
  expect(listed).toEqual([`${taskQueue}-retention`]);
  const handle = schedule.getHandle(`${taskQueue}-retention`);
  const { spec, info } = await handle.describe();
  expect(spec.calendars?.[0]?.hour).toEqual([{ start: 3, end: 3, step: 1 }]);
  expect(info.nextActionTimes[0]?.getTime()).toBeLessThan(Date.now() + 24.6 * 3_600_000);
  const asked: RetentionKind[] = [];
  const slices = new Map<RetentionKind, number>([['events', 3]]);
  const prune = ({ kind }: { kind: RetentionKind }) => {
    asked.push(kind);
    const left = (slices.get(kind) ?? 1) - 1;
    slices.set(kind, left);
    return Promise.resolve({ removed: kind === 'runs' ? 0 : 7, isDone: left === 0 });
  };
  await whilePruning(taskQueue, prune, async () => {
    await handle.trigger();
    const started = await until('it has begun', async () => {
      const [action] = (await handle.describe()).info.recentActions;
      return action?.action.workflow.workflowId;
    });
    expect(await temporal.client.workflow.result(started)).toEqual({
      ...{ conversations: 7, replies: 7, events: 21, 'ledger-days': 7, 'refresh-tokens': 7 },
    });
  });
  expect(asked).toEqual([
    ...RETENTION_KINDS.slice(0, 4),
    'events',
    'events',
    ...RETENTION_KINDS.slice(4),
  ]);
  await handle.delete();
});

test('a schedule of another release is brought up to date, and stays paused', async () => {
  const taskQueue = `retention-${randomUUID()}`;
  const { schedule } = temporal.client;
  const handle = await schedule.create({
    scheduleId: `${taskQueue}-retention`,
    spec: { calendars: [{ hour: 5 }] },
    action: { type: 'startWorkflow', workflowType: 'retentionWorkflow', taskQueue },
  });
  await handle.pause('until the move is over');
  expect(await ensureRetentionSchedule(schedule, taskQueue)).toBe('updated');
  expect(await ensureRetentionSchedule(schedule, taskQueue)).toBe('unchanged');
  const { spec, state } = await handle.describe();
  expect(spec.calendars?.[0]?.hour).toEqual([{ start: 3, end: 3, step: 1 }]);
  expect(state).toMatchObject({ paused: true, note: 'until the move is over' });
  await handle.delete();
});

test('a night with very much to do goes on in a new history, and forgets nothing', async () => {
  const taskQueue = `retention-${randomUUID()}`;
  let left = 60;
  const prune = ({ kind }: { kind: RetentionKind }) => {
    left -= kind === 'runs' ? 1 : 0;
    return Promise.resolve({ removed: 1, isDone: kind !== 'runs' || left === 0 });
  };
  await whilePruning(taskQueue, prune, async () => {
    const run = await temporal.client.workflow.start('retentionWorkflow', {
      ...{ taskQueue, workflowId: `${taskQueue}-by-hand` },
    });
    expect(await run.result()).toMatchObject({ conversations: 1, runs: 60, 'refresh-tokens': 1 });
    const { runId } = await run.describe();
    expect(runId).not.toBe(run.firstExecutionRunId);
  });
});

test('a kind that cannot be removed keeps no other from it, and the night says so at its end', async () => {
  const taskQueue = `retention-${randomUUID()}`;
  const asked: RetentionKind[] = [];
  const broken: RetentionKind[] = ['runs', 'events'];
  const prune = ({ kind }: { kind: RetentionKind }) => {
    asked.push(kind);
    return broken.includes(kind)
      ? Promise.reject(ApplicationFailure.nonRetryable('a mistake of ours', 'internal'))
      : Promise.resolve({ removed: 1, isDone: true });
  };
  await whilePruning(taskQueue, prune, async () => {
    const run = await temporal.client.workflow.start('retentionWorkflow', {
      ...{ taskQueue, workflowId: `${taskQueue}-broken` },
    });
    const failure: unknown = await run.result().catch((error: unknown) => error);
    const cause = failure instanceof Error ? String(failure.cause) : '';
    expect(cause).toContain('could not remove all ');
    broken.forEach((kind) => {
      expect(cause).toContain(kind);
    });
  });
  expect(asked).toEqual([...RETENTION_KINDS]);
});

test('the deletion of a user whose history is filled with rejected signals begins a new one', async () => {
  const taskQueue = `deletion-${randomUUID()}`;
  const userId = randomUUID();
  const calls: string[] = [];
  const held = Promise.withResolvers<null>();
  const does =
    <T>(name: string, answer: T) =>
    async (): Promise<T> => {
      calls.push(name);
      await (name === 'stopRuns' ? held.promise : null);
      return answer;
    };
  const worker = await fixture.workerOf(taskQueue, {
    closeAccount: does('closeAccount', undefined),
    stopRuns: does('stopRuns', { open: 0 }),
    removeWorkflows: does('removeWorkflows', { found: 0, refused: 0 }),
    removeRecords: does('removeRecords', { isDone: true }),
  });
  await worker.runUntil(async () => {
    const handle = await temporal.client.workflow.start('deleteUserWorkflow', {
      ...{ taskQueue, workflowId: userDeletionWorkflowId(userId) },
      args: [{ userId, lookMs: 1 }],
    });
    await until('it waits', () => calls.includes('stopRuns'));
    const latest = () => temporal.client.workflow.getHandle(handle.workflowId);
    const runOf = async () => (await latest().describe()).runId;
    const first = await runOf();
    try {
      await until('it has begun a new history', async () => {
        await latest().signal('noSuchSignal', randomBytes(900_000).toString('base64'));
        return (await runOf()) !== first;
      });
    } finally {
      held.resolve(null); // a worker waits for what it has under way
    }
    await latest().result();
  });
  expect(calls.filter((name) => name === 'closeAccount')).toHaveLength(2);
  expect(calls.at(-1)).toBe('removeWorkflows');
});
