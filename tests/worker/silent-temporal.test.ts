import { randomBytes, randomUUID } from 'node:crypto';
import { silentLogger } from '../../telemetry/logger.js';
import { notifyRunEnded } from '../../temporal/client/discussions.js';
import { connectTemporal, type TemporalClient } from '../../temporal/connection.js';
import { createTemporalReconciler } from '../../worker/temporal-reconciler.js';
import { startProxyOf } from '../support/server-proxies.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, testServers, type TestDb } from '../support/servers.js';
import type { TcpProxy } from '../support/tcp-proxy.js';

/** Temporal behind a network that swallows packets. */
let proxy: TcpProxy;
let temporal: TemporalClient;
let server: TestDb;
beforeAll(async () => {
  server = await createTestDb();
  proxy = await startProxyOf('temporal');
  const options = { namespace: testServers().temporalNamespace, apiKey: null, tls: null };
  const address = `127.0.0.1:${proxy.port}`;
  temporal = await connectTemporal({ ...options, address }, [randomBytes(32)]);
  await temporal.connection.workflowService.getSystemInfo({});
  proxy.freeze();
});
afterAll(async () => {
  await temporal.close();
  await proxy.close();
  await server.drop();
});

const silent = () => ({
  client: temporal.client,
  taskQueue: 'no-worker',
  limits: { idleMs: 1_000, maxHistoryEvents: 100 },
  callTimeoutMs: 200,
});

test('a discussion that cannot be notified is an error in time', async () => {
  const ids = { conversationId: randomUUID(), pipelineId: randomUUID(), userId: randomUUID() };
  const notified = notifyRunEnded(silent(), { ...ids, role: 'free' });
  await expect(notified).rejects.toThrow();
});

test.each<[string, number, boolean, readonly string[]]>([
  ['started', 7, false, []],
  ['notified of', 7, true, []],
  ['asked for', 60, false, ['running workflows cannot be listed']],
])('a run that cannot be %s does not hold up the reconciler', async (...row) => {
  const [, ageSeconds, isTalked, alsoWarned] = row;
  const { db } = server;
  const { id: userId } = await createTestUser(db);
  const conversationId = isTalked ? await createTestConversation(db, userId) : null;
  const admittedAt = new Date(Date.now() - ageSeconds * 1_000);
  const pipelineId = await admittedRun(db, { userId, conversationId }, admittedAt);
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    with: () => logger,
    warn: (event: string) => void warnings.push(event),
  };
  const reconciler = createTemporalReconciler({
    ...{ db, logger },
    temporal: silent(),
    sweepArchives: () => Promise.resolve(),
    closeRun: () => Promise.reject(new Error('its outcome is unknown')),
  });
  await reconciler.runOnce();
  expect(warnings).toEqual([...alsoWarned, 'mending a run failed']);
  await db.deleteFrom('pipelineExecutions').where('id', '=', pipelineId).execute();
});
