import { randomBytes, randomUUID } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { sql } from 'kysely';
import { createWorkflows } from '../../../api/runs/workflows.js';
import { connectDb, type Db } from '../../../db/connect.js';
import { saveDiscussion } from '../../../db/discussions/discussions.js';
import { openRun, readRunById } from '../../../db/runs/runs.js';
import { startMachine } from '../../../domain/discussion/machine.js';
import { closeRunWorkflowId, pipelineWorkflowId } from '../../../domain/ids.js';
import { isOutage } from '../../../domain/outages.js';
import { startDiscussionState } from '../../../domain/discussion/state.js';
import { createBus, type Bus } from '../../../events/bus.js';
import { connectRedis } from '../../../events/redis.js';
import { silentLogger } from '../../../telemetry/logger.js';
import { connectTemporal, type TemporalClient } from '../../../temporal/connection.js';
import { pipelineStart } from '../../../temporal/client/start-options.js';
import { closingWorker } from '../../support/closing-worker.js';
import { designOf } from '../../support/designs.js';
import { lockRow } from '../../support/row-lock.js';
import { admittedRun, createTestConversation } from '../../support/runs.js';
import { createTestDb, createTestUser, testServers, type TestDb } from '../../support/servers.js';
import { TEST_MACS } from '../../support/redis.js';
import { until } from '../../support/until.js';
import { openWorkflowFixture, type WorkflowFixture } from '../../support/workflow-fixture.js';

/** No worker polls here: workflows that are started stay as they are. */
const TASK_QUEUE = `no-worker-${randomUUID()}`;
const LIMITS = { idleMs: 1_000, maxHistoryEvents: 100 };

let server: TestDb;
let commits: LostCommits;
/** Through the `commits` proxy. */
let db: Db;
let fixture: WorkflowFixture;
let temporal: TemporalClient;
let redis: Redis;
let bus: Bus;
beforeAll(async () => {
  server = await createTestDb();
  commits = await startLosingCommits(server.url);
  db = connectDb({ url: commits.url, poolSize: 5, applicationName: 'test' });
  const { redisUrl } = testServers();
  fixture = await openWorkflowFixture();
  ({ temporal } = fixture);
  redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  bus = createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  await until('redis is there', () => redis.status === 'ready' && bus.isAvailable());
});
afterEach(() => {
  commits.lose(0);
});
afterAll(async () => {
  await db.destroy();
  await commits.close();
  await bus.close();
  redis.disconnect();
  await fixture.close();
  await server.drop();
});

/** The API's workflows, and their warnings. */
function watchedWorkflows(through: Db, client: TemporalClient['client'], taskQueue = TASK_QUEUE) {
  const warnings: string[] = [];
  const workflows = createWorkflows({
    ...{ db: through, bus, redis, temporal: { client, taskQueue, limits: LIMITS } },
    keySources: { serverKeys: true, simulated: false, readableSeals: [] },
    logger: { ...silentLogger, warn: (event) => warnings.push(event) },
    stopping: new AbortController().signal,
  });
  return { workflows, warnings };
}
const workflowsOn = (through: Db) => watchedWorkflows(through, temporal.client).workflows;
const newUser = async () =>
  ({ userId: (await createTestUser(server.db)).id, role: 'free' }) as const;
const design = designOf(['reader', 'writer']);
const historyOf = async (workflowId: string) => {
  const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
  return events ?? [];
};
const runsOf = (userId: string) =>
  server.db
    .selectFrom('pipelineExecutions')
    .select(['id', 'holdsSlot'])
    .where('userId', '=', userId)
    .execute();

/** As a discussion stores it when it has confirmed the design. */
async function confirm(userId: string, conversationId: string): Promise<void> {
  const machine = { ...startMachine(), state: 'plan' } as const;
  const state = { ...startDiscussionState('en'), version: 1, machine, selected: design };
  await server.db
    .transaction()
    .execute((tx) => saveDiscussion(tx, { conversationId, userId, talk: state }));
}

describe('an admission whose commit was not acknowledged', () => {
  test('is found again: the run is admitted once, and its id is answered', async () => {
    const user = await newUser();
    commits.lose(2);
    const admission = await workflowsOn(db).startPipeline({ ...user, design, language: 'en' });
    const [run, ...others] = await runsOf(user.userId);
    expect(others).toEqual([]);
    expect(admission).toEqual({ kind: 'admitted', pipelineId: run?.id });
  });

  test('is found again where a discussion has confirmed the design', async () => {
    const user = await newUser();
    const conversationId = await createTestConversation(server.db, user.userId);
    await confirm(user.userId, conversationId);
    commits.lose(1);
    const admission = await workflowsOn(db).runConfirmed({ ...user, conversationId });
    const runs = await runsOf(user.userId);
    expect(runs).toHaveLength(1);
    expect(admission).toEqual({ kind: 'admitted', pipelineId: runs[0]?.id });
  });

  test('is an outage, if it goes on', async () => {
    const user = await newUser();
    commits.lose(1_000);
    const starting = workflowsOn(db).startPipeline({ ...user, design, language: 'en' });
    const error: unknown = await starting.then(
      () => null,
      (failure: unknown) => failure,
    );
    expect(isOutage(error)).toBe(true);
    expect(await runsOf(user.userId)).toHaveLength(1);
  });
});

test('a request of a deleted user is refused at once', async () => {
  const ghost = { userId: randomUUID(), role: 'free' } as const;
  const since = Date.now();
  const starting = workflowsOn(db).startPipeline({ ...ghost, design, language: 'en' });
  await expect(starting).rejects.toMatchObject({ code: 'not-found' });
  expect(Date.now() - since).toBeLessThan(4_500);
});

describe('a request', () => {
  test('that is refused says why, and leaves no run', async () => {
    const user = await newUser();
    await admittedRun(server.db, user, new Date());
    const refused = await workflowsOn(server.db).startPipeline({ ...user, design, language: 'en' });
    expect(refused).toMatchObject({ kind: 'refused', error: { code: 'pipeline-running' } });
    expect(await runsOf(user.userId)).toHaveLength(1);
  });

  test('for a discussion that has confirmed nothing is refused', async () => {
    const user = await newUser();
    const conversationId = await createTestConversation(server.db, user.userId);
    const running = workflowsOn(server.db).runConfirmed({ ...user, conversationId });
    await expect(running).rejects.toMatchObject({ code: 'nothing-confirmed' });
  });
});

/** With a Temporal that is not there. */
async function workflowsOfNowhere() {
  const address = '127.0.0.1:9';
  const options = { address, namespace: 'none', apiKey: null, tls: null };
  const nowhere = await connectTemporal(options, [randomBytes(32)]);
  return { ...watchedWorkflows(server.db, nowhere.client), close: () => nowhere.close() };
}

test.concurrent(
  'while Temporal is away runs are admitted and wait, and none can be cancelled',
  async () => {
    const { workflows, warnings, close } = await workflowsOfNowhere();
    const [one, other, third] = [await newUser(), await newUser(), await newUser()];
    const conversationId = await createTestConversation(server.db, other.userId);
    await confirm(other.userId, conversationId);
    const pending = await admittedRun(server.db, third, new Date());
    const [direct, confirmed] = await Promise.all([
      workflows.startPipeline({ ...one, design, language: 'en' }),
      workflows.runConfirmed({ ...other, conversationId }),
      expect(workflows.cancelPipeline(third.userId, pending)).rejects.toMatchObject({
        code: 'unavailable',
      }),
    ]);
    expect([direct.kind, confirmed.kind]).toEqual(['admitted', 'admitted']);
    expect(warnings.sort()).toEqual([
      'a run waits for the reconciler',
      'an admitted run waits for the reconciler',
    ]);
    expect(await readRunById(server.db, pending)).toMatchObject({ status: 'pending' });
    await close();
  },
);

test.concurrent(
  'a run that does not work cannot be paused, and one that cannot be reached neither',
  async () => {
    const [user, spender] = [await newUser(), await newUser()];
    const pipelineId = await admittedRun(server.db, user, new Date());
    const waiting = await admittedRun(server.db, spender, new Date());
    await server.db
      .updateTable('pipelineExecutions')
      .set({ status: 'running', onBudget: 'pause' })
      .where('id', '=', waiting)
      .execute();
    const { workflows: unreachable, warnings, close } = await workflowsOfNowhere();
    const refusal = (workflows: ReturnType<typeof workflowsOn>) =>
      workflows.pauseRun(user.userId, pipelineId);
    const code = 'unavailable';
    await Promise.all([
      expect(refusal(workflowsOn(server.db))).rejects.toMatchObject({
        code,
        message: 'The run does not work now: it is about to begin or to end, try again',
      }),
      expect(refusal(unreachable)).rejects.toMatchObject({
        code,
        message: 'The run cannot be reached now, try again',
      }),
      unreachable.tellBudgetChanged(spender.userId), // the run itself looks again later
    ]);
    expect(warnings).toEqual(['a run was not notified']);
    await close();
  },
);

test.concurrent(
  'while Temporal is away a deletion waits for the reconciler, and no run is released',
  async () => {
    const user = await newUser();
    const pipelineId = await admittedRun(server.db, user, new Date());
    const { workflows, warnings, close } = await workflowsOfNowhere();
    await Promise.all([
      workflows.startUserDeletion(user.userId),
      expect(workflows.releaseRun(pipelineId)).rejects.toMatchObject({ code: 'unavailable' }),
    ]);
    expect(warnings).toEqual(['a deletion waits for the reconciler']);
    await close();
  },
);

describe('cancelling', () => {
  /** With a worker that can end runs, and without the workflow of a run. */
  async function cancel(
    { userId }: { readonly userId: string },
    pipelineId: string,
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ) {
    const taskQueue = `closing-${randomUUID()}`;
    const { worker, signalled } = await closingWorker(fixture, { db: server.db, taskQueue });
    const { workflows } = watchedWorkflows(server.db, temporal.client, taskQueue);
    const [asked] = await worker.runUntil(
      Promise.all([workflows.cancelPipeline(userId, pipelineId), meanwhile()]),
    );
    return { asked, signalled };
  }

  test('a run that has ended answers how, and changes nothing', async () => {
    const user = await newUser();
    const pipelineId = await admittedRun(server.db, user, new Date());
    await cancel(user, pipelineId); // no workflow has taken it, so this ends it
    const late = await workflowsOn(server.db).cancelPipeline(user.userId, pipelineId);
    expect(late).toMatchObject({ kind: 'already-ended', view: { status: 'cancelled' } });
  });

  test('reaches a run whose workflow starts just when it was not found', async () => {
    const user = await newUser();
    const pipelineId = await admittedRun(server.db, user, new Date());
    const opening = await lockRow(
      server.db,
      sql`update pipeline_executions set status = 'running' where id = ${pipelineId} returning id`,
    );
    const { asked } = await cancel(user, pipelineId, async () => {
      await opening.awaited();
      await temporal.client.workflow.start('pipelineWorkflow', {
        ...pipelineStart({ pipelineId, designName: design.name }, user, TASK_QUEUE),
        args: [{ pipelineId, userId: user.userId, conversationId: null }],
      });
      opening.release();
    });
    expect(asked).toMatchObject({ kind: 'asked' });
    const events = await historyOf(pipelineWorkflowId(pipelineId));
    expect(
      events.filter((event) => event.workflowExecutionCancelRequestedEventAttributes),
    ).toHaveLength(1);
    expect(await readRunById(server.db, pipelineId)).toMatchObject({ status: 'running' });
  });

  test('a run that no workflow has taken ends it, and its discussion is signalled', async () => {
    const user = await newUser();
    const conversationId = await createTestConversation(server.db, user.userId);
    const order = { ...user, conversationId };
    const pipelineId = await admittedRun(server.db, order, new Date());
    const { asked, signalled } = await cancel(user, pipelineId);
    expect(asked).toMatchObject({ kind: 'asked' });
    expect(await readRunById(server.db, pipelineId)).toMatchObject({
      status: 'cancelled',
      holdsSlot: false,
    });
    expect(signalled).toEqual([conversationId]);
  });

  test('without a worker is not lost: the run is ended when one is there', async () => {
    const user = await newUser();
    const pipelineId = await admittedRun(server.db, user, new Date());
    const taskQueue = `closing-${randomUUID()}`;
    const { workflows } = watchedWorkflows(server.db, temporal.client, taskQueue);
    const asked = await workflows.cancelPipeline(user.userId, pipelineId);
    expect(asked).toMatchObject({ kind: 'asked' });
    const { worker } = await closingWorker(fixture, { db: server.db, taskQueue });
    const closing = temporal.client.workflow.getHandle(closeRunWorkflowId(pipelineId));
    await worker.runUntil(closing.result());
    expect(await readRunById(server.db, pipelineId)).toMatchObject({ status: 'cancelled' });
  });

  test('a run whose workflow is gone leaves it to the reconciler', async () => {
    const user = await newUser();
    const pipelineId = await admittedRun(server.db, user, new Date());
    await server.db.transaction().execute((tx) => openRun(tx, pipelineId, { now: new Date() }));
    const asked = await workflowsOn(server.db).cancelPipeline(user.userId, pipelineId);
    expect(asked).toMatchObject({ kind: 'asked', view: { status: 'running' } });
  });
});

interface LostCommits {
  /** The database's address through it. */
  readonly url: string;
  /** How many of the next commits are not acknowledged. */
  lose(count: number): void;
  close(): Promise<void>;
}

/** Source: PostgreSQL's protocol, a simple query. */
const COMMIT = /^Q.{4}commit/is;

async function startLosingCommits(databaseUrl: string): Promise<LostCommits> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let left = 0;
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let isLost = false;
    client.on('data', (chunk) => {
      if (left > 0 && COMMIT.test(chunk.toString('latin1'))) {
        left -= 1;
        isLost = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isLost) {
        client.destroy(); // the server has answered, so it has committed
      } else {
        client.write(chunk);
      }
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(databaseUrl);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    lose: (count) => {
      left = count;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}
