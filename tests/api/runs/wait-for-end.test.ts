import { randomUUID } from 'node:crypto';
import { waitForEnd } from '../../../api/runs/wait-for-end.js';
import { closeRun, openRun } from '../../../db/runs/runs.js';
import { createBus, type Bus } from '../../../events/bus.js';
import { silentLogger } from '../../../telemetry/logger.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { type TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { startRedisProxy, TEST_MACS } from '../../support/redis.js';

let testDb: TestDb;
let proxy: TcpProxy;
let bus: Bus;
beforeAll(async () => {
  testDb = await createTestDb();
  const redis = await startRedisProxy();
  proxy = redis.proxy;
  bus = createBus({ redisUrl: redis.url, logger: silentLogger, macs: TEST_MACS });
  await until('Redis is there', () => bus.isAvailable());
});
afterAll(async () => {
  await bus.close();
  await proxy.close();
  await testDb.drop();
});

async function newRun() {
  const { id: userId } = await createTestUser(testDb.db);
  const pipelineId = await admittedRun(testDb.db, { userId }, new Date());
  await testDb.db.transaction().execute((tx) => openRun(tx, pipelineId, { now: new Date() }));
  return { userId, pipelineId };
}

async function end(pipelineId: string, { tell }: { tell: boolean }): Promise<void> {
  const { events } = await testDb.db
    .transaction()
    .execute((tx) => closeRun(tx, { pipelineId, outcome: { kind: 'ended' }, now: new Date() }));
  if (tell) {
    await bus.publish(pipelineId, events);
  }
}

function wait(pipelineId: string, options: { waitMs?: number; signal?: AbortSignal } = {}) {
  const { waitMs = 30_000, signal = new AbortController().signal } = options;
  return waitForEnd({ db: testDb.db, bus }, pipelineId, { waitMs, signal });
}

test('a notification of the end ends the wait at once', async () => {
  const { pipelineId } = await newRun();
  const waiting = wait(pipelineId);
  await end(pipelineId, { tell: true });
  expect(await waiting).toMatchObject({ pipeline_id: pipelineId, status: 'failed' });
});

test('a run that has ended before is not waited for', async () => {
  const { pipelineId } = await newRun();
  await end(pipelineId, { tell: false });
  expect((await wait(pipelineId, { waitMs: 0 })).status).toBe('failed');
});

test('without any notification, and with Redis away, the row is read each second', async () => {
  await proxy.cut();
  const { pipelineId } = await newRun();
  const startedAt = Date.now();
  const waiting = wait(pipelineId);
  await end(pipelineId, { tell: false });
  expect((await waiting).status).toBe('failed');
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  await proxy.restore();
  await until('Redis is back', () => bus.isAvailable());
});

test('when the time is over, the run is returned as it is', async () => {
  const { pipelineId } = await newRun();
  expect(await wait(pipelineId, { waitMs: 20 })).toMatchObject({ status: 'running', result: null });
});

test('a client that hangs up ends the wait', async () => {
  const { pipelineId } = await newRun();
  const hangUp = new AbortController();
  const waiting = wait(pipelineId, { signal: hangUp.signal });
  hangUp.abort();
  expect((await waiting).status).toBe('running');
});

test('a run that is not there, or is deleted meanwhile, is not found', async () => {
  const notFound = expect.objectContaining({ code: 'not-found' });
  await expect(wait(randomUUID())).rejects.toEqual(notFound);
  const { userId, pipelineId } = await newRun();
  const waiting = wait(pipelineId);
  const outcome = expect(waiting).rejects.toEqual(notFound);
  await testDb.db.deleteFrom('users').where('id', '=', userId).execute();
  await outcome;
});
