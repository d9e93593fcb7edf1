import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import {
  forgetState,
  makeHome,
  startEmbedded,
  type Embedded,
} from '../../scripts/embedded/embedded.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { sendSignal, startTimeOf } from '../../scripts/embedded/process.js';

const parent = mkdtempSync(join(tmpdir(), 'agentforge-embedded-'));
const home = join(parent, 'home');
const toolsDir = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
let running: Embedded | null = null;

afterAll(async () => {
  await running?.stop();
  forgetState(home);
  rmSync(parent, { recursive: true });
});

async function start(): Promise<Embedded> {
  const [postgres, redis, temporal] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ];
  const ports = { postgres, redis, temporal };
  running = await startEmbedded({ home, toolsDir, ports, say: () => undefined });
  return running;
}

async function query(embedded: Embedded, statement: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: embedded.databaseUrl ?? '' });
  await client.connect();
  const { rows } = await client.query<object>(statement);
  await client.end();
  return rows;
}

async function describeNamespaces(embedded: Embedded): Promise<readonly string[]> {
  const connection = await Connection.connect({ address: embedded.temporalAddress ?? '' });
  const { namespaces } = await connection.workflowService.listNamespaces({});
  await connection.close();
  return namespaces.map((entry) => entry.namespaceInfo?.name ?? '');
}

async function addNamespace(embedded: Embedded, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address: embedded.temporalAddress ?? '' });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  await connection.close();
}

test('a start after a kill ends what is left and finds all data again', async () => {
  chmodSync(parent, 0o711); // PostgreSQL may run as another user
  makeHome(home);
  const first = await start();
  await query(first, 'create table kept (id int)');
  await query(first, 'insert into kept values (7)');
  await addNamespace(first, 'kept');
  const left = [...first.servers.values()].map((server) => server.pid);
  sendSignal(-(first.servers.get('postgres')?.pid ?? 0), 'SIGKILL');

  const second = await start();

  expect(left.map(startTimeOf)).toEqual([null, null, null]);
  expect(await query(second, 'select id from kept')).toEqual([{ id: 7 }]);
  expect(await describeNamespaces(second)).toContain('kept');
  const redis = new Redis(second.redisUrl ?? '');
  expect(await redis.ping()).toBe('PONG');
  redis.disconnect();
});

test('a part that was killed can be started again alone', async () => {
  const embedded = running ?? (await start());
  const server = embedded.servers.get('postgres');
  sendSignal(server?.pid ?? 0, 'SIGKILL');
  await server?.ended;
  await embedded.restart('postgres');
  expect(await query(embedded, 'select id from kept')).toEqual([{ id: 7 }]);
});

test('the database listens to those who know the password only', async () => {
  const embedded = running ?? (await start());
  const url = new URL(embedded.databaseUrl ?? '');
  url.password = 'guessed';
  const client = new pg.Client({ connectionString: url.href });
  await expect(client.connect()).rejects.toThrow('password authentication failed');
});

test('a part without a port is not started, and has no address', async () => {
  const ports = { redis: await findFreePort() };
  const alone = join(parent, 'alone');
  const only = await startEmbedded({ home: alone, toolsDir, ports, say: () => undefined });
  try {
    expect([...only.servers.keys()]).toEqual(['redis']);
    expect(only).toMatchObject({ databaseUrl: null, temporalAddress: null, temporalUiUrl: null });
  } finally {
    await only.stop();
  }
});
