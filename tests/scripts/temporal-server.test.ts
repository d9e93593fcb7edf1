import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { sendSignal, startTimeOf } from '../../scripts/embedded/process.js';
import { chosenTemporal } from '../../scripts/embedded/temporal-choice.js';
import { TEMPORAL_VERSION } from '../../scripts/embedded/temporal-programs.js';
import { startTemporary, type TemporaryServers } from '../../scripts/embedded/temporary.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';

// only with AGENTFORGE_TEST_TEMPORAL=server: else a first `npm test` would build it for minutes
const testReal = chosenTemporal() === 'server' ? test : test.skip;

const USER_ID = defineSearchAttributeKey('AgentForgeUserId', SearchAttributeType.KEYWORD);

let own: TemporaryServers | null = null;
afterAll(async () => {
  await own?.stop();
});

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** No worker polls it. */
async function startWorkflow(client: Client, userId: string): Promise<void> {
  await client.workflow.start('waitingWorkflow', {
    workflowId: `waiting-${userId}`,
    taskQueue: `no-worker-${userId}`,
    typedSearchAttributes: [{ key: USER_ID, value: userId }],
  });
}

async function statusOf(client: Client, userId: string): Promise<string> {
  return (await client.workflow.getHandle(`waiting-${userId}`).describe()).status.name;
}

testReal('the tests run against the real server on PostgreSQL', async () => {
  await withClient(testServers().temporalAddress, async (client) => {
    const cluster = await client.workflowService.getClusterInfo({});
    expect(cluster).toMatchObject({
      serverVersion: TEMPORAL_VERSION,
      persistenceStore: 'postgres12',
      visibilityStore: 'postgres12',
    });
  });
});

testReal('it takes a workflow and finds it by our search attributes', async () => {
  const userId = randomUUID();
  await withClient(testServers().temporalAddress, async (client) => {
    await startWorkflow(client, userId);
    const query = `AgentForgeUserId = '${userId}'`;
    await until('it is visible', async () => (await client.workflow.count(query)).count === 1);
    await client.workflow.getHandle(`waiting-${userId}`).terminate();
    expect(await statusOf(client, userId)).toBe('TERMINATED');
  });
});

testReal('one that was killed is started again with all that it had, and stops', async () => {
  own = await startTemporary({
    prefix: 'agentforge-temporal-test-',
    toolsDir: resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools'),
    durability: { postgres: false, temporal: 'OFF' },
    say: () => undefined,
  });
  const address = own.temporalAddress ?? '';
  const userId = randomUUID();
  await withClient(address, (client) => startWorkflow(client, userId));
  const killed = own.servers.get('temporal');
  sendSignal(killed?.pid ?? 0, 'SIGKILL');
  await killed?.ended;

  const again = await own.restart('temporal');

  expect(await withClient(address, (client) => statusOf(client, userId))).toBe('RUNNING');
  await own.stop();
  own = null;
  expect(startTimeOf(again.pid)).toBeNull();
});
