/** The state directory of `npm start`: its owner, and what another user of the machine can do. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  endLeftoverServers,
  forgetState,
  makeHome,
  startEmbedded,
  type Embedded,
  type Part,
} from '../../scripts/embedded/embedded.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { sendSignal, startTimeOf, writePidFile } from '../../scripts/embedded/process.js';
import { findTool, REDIS_TOOL } from '../../scripts/embedded/python-tools.js';
import { serverEnvironment } from '../../scripts/embedded/server-environment.js';
import { until } from '../support/until.js';

const isRoot = process.getuid?.() === 0;
const toolsDir = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
const PLANTED = {
  OPENAI_API_KEY: 'sk-planted-openai',
  AWS_SECRET_ACCESS_KEY: 'planted-aws',
  TEMPORAL_API_KEY: 'planted-temporal',
};
const PARTS: readonly Part[] = ['postgres', 'redis', 'temporal'];
const home = join(mkdtempSync(join(tmpdir(), 'agentforge-state-')), 'home');
let ports: { postgres: number; redis: number; temporal: number; temporalUi: null };
let running: Embedded | null = null;

beforeAll(async () => {
  chmodSync(join(home, '..'), 0o755); // what is closed below is the state directory itself
  Object.assign(process.env, PLANTED);
  ports = {
    postgres: await findFreePort(),
    redis: await findFreePort(),
    temporal: await findFreePort(),
    temporalUi: null,
  };
});
afterAll(async () => {
  Object.keys(PLANTED).forEach((name) => Reflect.deleteProperty(process.env, name));
  await running?.stop();
  forgetState(home);
  rmSync(join(home, '..'), { recursive: true });
});

async function start(): Promise<Embedded> {
  makeHome(home);
  running = await startEmbedded({ home, toolsDir, ports, say: () => undefined });
  return running;
}

/** Everything below that others have any right to. */
function openToOthers(path: string): readonly string[] {
  const stats = lstatSync(path);
  const mine = (stats.mode & 0o077) === 0 || stats.isSymbolicLink() ? [] : [path];
  const inner = stats.isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [];
  return [...mine, ...inner.flatMap(openToOthers)];
}

function environmentOfProcess(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'utf8');
}

/** As another user of this machine. @returns what it printed, with its errors */
function asNobody(command: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, {
    ...{ uid: 65_534, gid: 65_534, cwd: '/', encoding: 'utf8', timeout: 10_000 },
  });
  return `${stdout}${stderr}`;
}

async function query(url: string | null, statement: string): Promise<readonly any[]> {
  const client = new pg.Client({ connectionString: url ?? '' });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

test('nothing in a new state directory is open to others', async () => {
  await start();
  expect(openToOthers(home)).toEqual([]);
  expect(existsSync(join(home, 'temporal.db'))).toBe(true);
});

test('servers get nothing of our environment', () => {
  for (const part of PARTS) {
    const environment = environmentOfProcess(running?.servers.get(part)?.pid ?? 0);
    expect(environment).not.toContain('planted');
    expect(part !== 'temporal' || environment.includes('PATH=')).toBe(true); // the others write over it
  }
});

test('what servers get is a short list', () => {
  const environment = serverEnvironment({ PATH: '/bin', LC_ALL: 'C', HOME: '/root', ...PLANTED });
  expect(environment).toEqual({ PATH: '/bin', LC_ALL: 'C' });
});

test('passwords stand in no command line', () => {
  const { redis, redisCollector, database } = JSON.parse(
    readFileSync(join(home, 'passwords.json'), 'utf8'),
  );
  const lines = execFileSync('ps', ['-eww', '-o', 'args'], { encoding: 'utf8' });
  for (const password of [redis, redisCollector, database]) {
    expect(lines).not.toContain(password);
  }
});

(isRoot ? test : test.skip)('another user reads nothing there', () => {
  expect(asNobody('ls', home)).toContain('Permission denied');
  for (const file of ['secrets.json', 'passwords.json', 'logs/redis.log', 'redis/redis.conf']) {
    expect(asNobody('cat', join(home, file))).toContain('Permission denied');
  }
  expect(asNobody('ls', join(home, 'postgres'))).toContain('Permission denied');
});

test('another user gets nothing from Redis', async () => {
  const stranger = new Redis(ports.redis, '127.0.0.1', { enableReadyCheck: false });
  stranger.on('error', () => undefined);
  for (const [command = '', ...args] of [
    ['ping'],
    ['get', 'x'],
    ['config', 'set', 'dir', '/tmp'],
    ['publish', 'agentforge:events:x', '{}'],
  ]) {
    await expect(stranger.call(command, ...args)).rejects.toThrow('NOAUTH');
  }
  stranger.disconnect();
});

async function expectNoStranger(): Promise<void> {
  const stranger = new Redis(ports.redis, '127.0.0.1', { enableReadyCheck: false });
  stranger.on('error', () => undefined);
  await expect(stranger.ping()).rejects.toThrow('NOAUTH');
  stranger.disconnect();
}

const FORBIDDEN = [
  ['config', 'set', 'dir', '/tmp'],
  ['config', 'get', '*'],
  ['debug', 'sleep', '0'],
  ['module', 'list'],
  ['replicaof', '127.0.0.1', '1'],
  ['slaveof', '127.0.0.1', '1'],
  ['save'],
  ['bgsave'],
  ['bgrewriteaof'],
  ['shutdown'],
  ['acl', 'list'],
  ['acl', 'setuser', 'x'],
  ['flushall'],
  ['flushdb'],
  ['keys', '*'],
  ['scan', '0'],
  ['monitor'],
  ['client', 'list'],
  ['client', 'kill', 'x'],
  ['migrate', '127.0.0.1', '1', 'x', '0', '1'],
  ['script', 'flush'],
] as const;

test.each(['redisUrl', 'collectorRedisUrl'] as const)(
  'a client with %s cannot command the server',
  async (name) => {
    const redis = new Redis(running?.[name] ?? '');
    for (const [command, ...args] of FORBIDDEN) {
      await expect(redis.call(command, ...args)).rejects.toThrow('NOPERM');
      const inScript = [command, ...args].map((word) => `'${word}'`).join(',');
      await expect(redis.eval(`return redis.call(${inScript})`, 0)).rejects.toThrow();
    }
    redis.disconnect();
  },
);

test('the collector has its own keys alone, and no channel', async () => {
  const collector = new Redis(running?.collectorRedisUrl ?? '');
  const apps = new Redis(running?.redisUrl ?? '');
  expect(await collector.set('collector:x', '1')).toBe('OK');
  expect(await apps.set('agentforge:x', '1')).toBe('OK');
  for (const key of ['agentforge:x', 'rate:user:x', 'else']) {
    await expect(collector.get(key)).rejects.toThrow('NOPERM');
    await expect(collector.eval(`return redis.call('get', '${key}')`, 0)).rejects.toThrow();
  }
  await expect(apps.get('collector:x')).rejects.toThrow('NOPERM');
  await expect(collector.publish('agentforge:user-gone', 'x')).rejects.toThrow('NOPERM');
  await expect(collector.subscribe('agentforge:user-gone')).rejects.toThrow('NOPERM');
  collector.disconnect();
  apps.disconnect();
});

test('our role in the database is no administrator, and owns the database', async () => {
  const url = running?.databaseUrl ?? null;
  const [role] = await query(
    url,
    `select current_user as name, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
     from pg_roles where rolname = current_user`,
  );
  const { name, ...rights } = role;
  expect(name).toBe('agentforge_app');
  expect(Object.values(rights)).toEqual([false, false, false, false, false]);
  for (const statement of [
    `copy (select 1) to program 'true'`,
    `copy pg_database to '/tmp/x'`,
    `select pg_read_file('/etc/passwd')`,
    'create database other',
    'create role other',
    'alter system set fsync = off',
  ]) {
    await expect(query(url, statement)).rejects.toThrow(/permission denied|must be/);
  }
  await query(url, 'create table may_be_made (id int)');
  await query(url, 'drop table may_be_made');
});

test('our role in the database enters no other one', async () => {
  const elsewhere = new URL(running?.databaseUrl ?? '');
  elsewhere.pathname = '/postgres';
  await expect(query(elsewhere.href, 'select 1')).rejects.toThrow('permission denied for database');
});

/** As release 0.5.0 leaves one: open, one role for everything, and a Redis that takes any command. */
async function makeOldState(): Promise<number> {
  const admin = running?.adminDatabaseUrl ?? null;
  await query(admin, 'alter database agentforge owner to agentforge');
  await query(admin, 'grant connect on database agentforge, postgres to public');
  await query(
    admin,
    `create type kind as enum ('a');
     create table kept (id serial primary key, kind kind);
     create table made (id int generated always as identity);
     create view seen as select id from kept;
     create function one() returns int language sql as 'select 1';
     insert into kept (kind) values ('a');`,
  );
  await running?.stop();
  rmSync(join(home, 'passwords.json'));
  for (const file of ['logs/temporal.log', 'logs/postgres.log', 'temporal.db', 'secrets.json']) {
    chmodSync(join(home, file), 0o644);
  }
  for (const directory of ['logs', 'redis']) {
    chmodSync(join(home, directory), 0o755);
  }
  chmodSync(home, 0o711);
  return leaveOldRedis();
}

async function leaveOldRedis(): Promise<number> {
  const program = await findTool(REDIS_TOOL, { toolsDir, say: () => undefined });
  const script = `exec "$0" --port ${ports.redis} --bind 127.0.0.1 --save '' --dir "$1" >>"$2" 2>&1`;
  const log = join(home, 'logs', 'redis.log');
  const old = spawn('sh', ['-c', script, program, join(home, 'redis'), log], { detached: true });
  old.unref();
  const pid = old.pid ?? 0;
  const redis = new Redis(ports.redis, '127.0.0.1', { lazyConnect: true, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await until('the old Redis is there', async () => {
    return (await redis.ping().catch(() => '')) === 'PONG';
  });
  redis.disconnect();
  writePidFile(join(home, 'redis.pid'), pid, program);
  return pid;
}

test('the state directory of release 0.5.0 is taken over by the next start', async () => {
  const oldRedis = await makeOldState();
  await start();
  expect(startTimeOf(oldRedis)).toBeNull();
  expect(openToOthers(home)).toEqual([]);
  await expectNoStranger();
  const url = running?.databaseUrl ?? null;
  expect(await query(url, "insert into kept (kind) values ('a') returning id")).toEqual([
    { id: 2 },
  ]);
  expect(await query(url, 'select one(), (select count(*)::int from seen)')).toEqual([
    { one: 1, count: 2 },
  ]);
  await query(url, `alter type kind add value 'b'`);
  await query(url, 'alter table made add column more int');
  await query(url, 'drop view seen; drop table kept, made; drop function one; drop type kind');
});

test('a forged pid file ends no other program', async () => {
  const stranger = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  const pid = stranger.pid ?? 0;
  try {
    await running?.stop();
    for (const part of PARTS) {
      writePidFile(join(home, `${part}.pid`), pid, 'sleep');
    }
    await endLeftoverServers(home);
    expect(startTimeOf(pid)).not.toBeNull();
    expect(readdirSync(home).filter((name) => name.endsWith('.pid'))).toEqual([]);
  } finally {
    sendSignal(pid, 'SIGKILL');
  }
});

test('nothing is written through links in the state directory', async () => {
  const target = join(home, '..', 'foreign');
  writeFileSync(target, 'as it was', { mode: 0o644 });
  for (const link of ['redis.pid', 'redis/redis.conf']) {
    rmSync(join(home, link), { force: true });
    symlinkSync(target, join(home, link));
  }
  await start();
  expect(readFileSync(target, 'utf8')).toBe('as it was');
  expect(statSync(target).mode & 0o777).toBe(0o644);
  await running?.stop();
  rmSync(join(home, 'logs', 'redis.log'));
  symlinkSync(target, join(home, 'logs', 'redis.log'));
  await expect(start()).rejects.toThrow('redis.log cannot be written: remove it if it is a link');
  expect(readFileSync(target, 'utf8')).toBe('as it was');
});

test('a state directory that is reached through a link is closed to others, too', () => {
  const [open, link] = [join(home, '..', 'open'), join(home, '..', 'link')];
  mkdirSync(join(open, 'logs'), { recursive: true });
  writeFileSync(join(open, 'logs', 'api.log'), 'a line');
  chmodSync(open, 0o755);
  symlinkSync(open, link);
  makeHome(link);
  expect(openToOthers(open)).toEqual([]);
});

(isRoot ? test : test.skip)('the directory of another user is not used', () => {
  const foreign = join(home, '..', 'of-another');
  mkdirSync(foreign, { mode: 0o777 });
  execFileSync('chown', ['65534', foreign]);
  expect(() => {
    makeHome(foreign);
  }).toThrow('belongs to another user');
});
