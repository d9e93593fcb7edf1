import { Redis } from 'ioredis';
import { Connection } from '@temporalio/client';
import { createTestDb, createTestUser, testServers } from '../support/servers.js';

test('a test database has the schema and takes a user', async () => {
  const testDb = await createTestDb();
  const { db } = testDb;
  const { id } = await createTestUser(db, { role: 'pro' });
  const row = await db.selectFrom('users').select('role').where('id', '=', id).executeTakeFirst();
  await testDb.drop();
  expect(row).toEqual({ role: 'pro' });
});

test('Redis answers', async () => {
  const redis = new Redis(testServers().redisUrl);
  expect(await redis.ping()).toBe('PONG');
  redis.disconnect();
});

test('Temporal keeps closed histories for 30 days and knows our search attributes', async () => {
  const connection = await Connection.connect({ address: testServers().temporalAddress });
  const namespace = 'default';
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  await connection.close();
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(720 * 3_600);
  expect(Object.keys(customAttributes)).toEqual(
    expect.arrayContaining(['AgentForgeUserId', 'AgentForgeCostUsd']),
  );
});
