import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../domain/run/search-attributes.js';
import { waitUntil } from '../../scripts/embedded/wait.js';
import { registerSearchAttributes } from '../../temporal/search-attributes.js';
import { testServers } from '../support/servers.js';

let connection: Connection;
beforeAll(async () => {
  connection = await Connection.connect({ address: testServers().temporalAddress });
});
afterAll(async () => {
  await connection.close();
});

test('attributes that a cluster knows are left alone', async () => {
  expect(await registerSearchAttributes(connection, 'default')).toEqual([]);
});

test('missing attributes are registered, by several processes at once', async () => {
  const namespace = `attributes-${randomUUID()}`;
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const register = (): Promise<unknown> => registerSearchAttributes(connection, namespace);
  const isVisible = (): Promise<boolean> => register().then(Boolean, () => false);
  expect(await waitUntil(isVisible, { timeoutMs: 20_000, pollMs: 200 })).toBe(true);
  await Promise.all([register(), register()]);
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  expect(Object.keys(known.customAttributes)).toEqual(
    expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)),
  );
});
