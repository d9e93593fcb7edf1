/** Unblocking stuck runs, with the real Temporal. Unless said otherwise, no worker polls there. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createWorkflows } from '../../api/runs/workflows.js';
import type { Workflows } from '../../api/deps.js';
import type { Db } from '../../db/connect.js';
import { openRun, readRunById } from '../../db/runs/runs.js';
import { suspendRun, takeSlot } from '../../db/runs/active-run-lock.js';
import { inTransaction } from '../../db/transactions.js';
import { closeRunWorkflowId, pipelineWorkflowId } from '../../domain/ids.js';
import { createBus, type Bus } from '../../events/bus.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { pipelineStart } from '../../temporal/client/start-options.js';
import { closingWorker } from '../support/closing-worker.js';
import { admittedRun } from '../support/runs.js';
import { TEST_MACS } from '../support/redis.js';
import { createTestDb, createTestUser, testServers, type TestDb } from '../support/servers.js';
import { openWorkflowFixture, type WorkflowFixture } from '../support/workflow-fixture.js';

const TASK_QUEUE = `no-worker-${randomUUID()}`;

let server: TestDb;
let db: Db;
let fixture: WorkflowFixture;
let temporal: TemporalClient;
let redis: Redis;
let bus: Bus;
let workflows: Workflows;
beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
  const { redisUrl } = testServers();
  fixture = await openWorkflowFixture();
  ({ temporal } = fixture);
  redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  bus = createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  workflows = workflowsOn(TASK_QUEUE);
});
afterAll(async () => {
  await fixture.close();
  await bus.close();
  redis.disconnect();
  await server.drop();
});

function workflowsOn(taskQueue: string): Workflows {
  return createWorkflows({
    ...{ db, bus, redis },
    temporal: {
      ...{ client: temporal.client, taskQueue, callTimeoutMs: 2_000 },
      limits: { idleMs: 1_000, maxHistoryEvents: 100 },
    },
    keySources: { serverKeys: true, simulated: false, readableSeals: [] },
    logger: silentLogger,
    stopping: new AbortController().signal,
  });
}

/** With a worker that can end runs. */
async function release(pipelineId: string): Promise<unknown> {
  const taskQueue = `closing-${randomUUID()}`;
  const { worker } = await closingWorker(fixture, { db, taskQueue });
  return worker.runUntil(workflowsOn(taskQueue).releaseRun(pipelineId));
}

interface Made {
  readonly userId: string;
  readonly pipelineId: string;
}

async function run(
  made: { opened?: boolean; workflow?: 'running' | 'closed'; userId?: string } = {},
): Promise<Made> {
  const { userId = (await createTestUser(db)).id } = made;
  const pipelineId = await admittedRun(db, { userId }, new Date());
  if (made.opened === true) {
    await inTransaction(db, (tx) => openRun(tx, pipelineId, { now: new Date() }));
  }
  if (made.workflow !== undefined) {
    const handle = await temporal.client.workflow.start('pipelineWorkflow', {
      ...pipelineStart({ pipelineId, designName: 'x' }, { userId, role: 'free' }, TASK_QUEUE),
      args: [{ pipelineId, userId, conversationId: null }],
    });
    await (made.workflow === 'closed' ? handle.terminate() : undefined);
  }
  return { userId, pipelineId };
}

async function eventsOf(pipelineId: string): Promise<readonly string[]> {
  const handle = temporal.client.workflow.getHandle(pipelineWorkflowId(pipelineId));
  const { events } = await handle.fetchHistory();
  const names = (events ?? []).flatMap((event) => [
    ...(event.workflowExecutionCancelRequestedEventAttributes ? ['cancel'] : []),
    event.workflowExecutionSignaledEventAttributes?.signalName ?? '',
  ]);
  return names.filter((name) => name !== '');
}

test('a run that no workflow has started ends as cancelled, and its lock is free', async () => {
  const { pipelineId } = await run();
  expect(await workflows.readLiveness(pipelineId)).toBe('missing');
  expect(await release(pipelineId)).toBe('closed');
  expect(await readRunById(db, pipelineId)).toMatchObject({
    status: 'cancelled',
    holdsSlot: false,
  });
});

test.each(['missing', 'closed'] as const)(
  'a run whose workflow is %s ends as failed, and its lock is free',
  async (workflow) => {
    const { pipelineId } = await run({
      opened: true,
      ...(workflow === 'closed' ? { workflow } : {}),
    });
    expect(await workflows.readLiveness(pipelineId)).toBe(workflow);
    expect(await release(pipelineId)).toBe('closed');
    expect(await readRunById(db, pipelineId)).toMatchObject({
      status: 'failed',
      holdsSlot: false,
    });
  },
);

test('without a worker the end is ordered, and comes when one is there', async () => {
  const { pipelineId } = await run({ opened: true });
  const taskQueue = `closing-${randomUUID()}`;
  expect(await workflowsOn(taskQueue).releaseRun(pipelineId)).toBe('asked-to-end');
  expect(await readRunById(db, pipelineId)).toMatchObject({ status: 'running' });
  const { worker, counted } = await closingWorker(fixture, { db, taskQueue });
  const closing = temporal.client.workflow.getHandle(closeRunWorkflowId(pipelineId));
  expect(await worker.runUntil(closing.result())).toEqual({ isActive: false });
  expect(await readRunById(db, pipelineId)).toMatchObject({ status: 'failed', holdsSlot: false });
  expect(counted).toEqual(['failed']);
});

test('a run whose workflow lives is asked to end, and ends as its workflow says', async () => {
  const { pipelineId } = await run({ opened: true, workflow: 'running' });
  expect(await workflows.readLiveness(pipelineId)).toBe('running');
  expect(await workflows.releaseRun(pipelineId)).toBe('asked-to-end');
  expect(await eventsOf(pipelineId)).toEqual(['cancel']);
  expect(await readRunById(db, pipelineId)).toMatchObject({ status: 'running' });
});

test('a run that is named in capitals is the one that is cancelled, paused and resumed', async () => {
  const { userId, pipelineId } = await run({ opened: true, workflow: 'running' });
  const capitals = pipelineId.toUpperCase();
  await workflows.pauseRun(userId, capitals);
  await workflows.resumeRun(userId, capitals);
  await workflows.cancelPipeline(userId, capitals);
  expect(await eventsOf(pipelineId)).toEqual(['pauseRun', 'resumeRun', 'cancel']);
});

describe('a run that queues for its lock', () => {
  async function queued(): Promise<Made> {
    const made = await run({ opened: true, workflow: 'running' });
    const { pipelineId } = made;
    const now = new Date();
    await inTransaction(db, (tx) => suspendRun(tx, { pipelineId, reason: 'slot', now }));
    await db
      .updateTable('pipelineExecutions')
      .set({ holdsSlot: false })
      .where('id', '=', pipelineId)
      .execute();
    return made;
  }

  test('gets a lock that no run holds, and a signal', async () => {
    const { pipelineId } = await queued();
    expect(await workflows.releaseRun(pipelineId)).toBe('slot-handed-on');
    expect(await eventsOf(pipelineId)).toEqual(['slotGranted']);
    const taken = inTransaction(db, (tx) => takeSlot(tx, { pipelineId, now: new Date() }));
    expect(await taken).toBe('taken');
  });

  test('is asked to end where another run holds it', async () => {
    const { userId, pipelineId } = await queued();
    const holder = await run({ userId });
    expect(await workflows.releaseRun(pipelineId)).toBe('asked-to-end');
    expect(await readRunById(db, holder.pipelineId)).toMatchObject({ holdsSlot: true });
  });
});

test('a run that has ended is refused, a missing one is null', async () => {
  const { pipelineId } = await run();
  await release(pipelineId);
  await expect(workflows.releaseRun(pipelineId)).rejects.toMatchObject({ code: 'run-ended' });
  expect(await workflows.releaseRun(randomUUID())).toBeNull();
});
