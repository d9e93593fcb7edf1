/** PostgreSQL, Redis and Temporal for the tests: a set of our own, or one that already runs. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { connectDb } from '../../db/connect.js';
import { migrate } from '../../db/migrate.js';
import { readRunning, writePidFile } from '../../scripts/embedded/process.js';
import { chosenTemporal, TEMPORAL_KINDS } from '../../scripts/embedded/temporal-choice.js';
import { startTemporary } from '../../scripts/embedded/temporary.js';
import { TEST_REDIS_DATABASES } from './servers.js';

const Addresses = z.object({
  temporalKind: z.enum(TEMPORAL_KINDS).default('dev'),
  databaseUrl: z.string(),
  redisUrl: z.string(),
  collectorRedisUrl: z.string(),
  observerRedisUrl: z.string(),
  temporalAddress: z.string(),
});
type Addresses = z.infer<typeof Addresses>;

interface Running extends Addresses {
  stop(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../..');
const HOME = resolve(ROOT, process.env['AGENTFORGE_HOME'] ?? '.agentforge');
const SHARED_FILE = join(HOME, 'test-servers.json');
const SHARED_PID_FILE = join(HOME, 'test-servers.pid');

/** Called once per test run; the tests find the servers by environment variables. */
export async function startTestServers(): Promise<{ stop(): Promise<void> }> {
  const servers = readShared() ?? (await startOwn());
  process.env['AGENTFORGE_TEST_DATABASE_URL'] = servers.databaseUrl;
  process.env['AGENTFORGE_TEST_REDIS_URL'] = servers.redisUrl;
  process.env['AGENTFORGE_TEST_OBSERVER_REDIS_URL'] = servers.observerRedisUrl;
  process.env['AGENTFORGE_TEST_COLLECTOR_REDIS_URL'] = servers.collectorRedisUrl;
  process.env['AGENTFORGE_TEST_TEMPORAL_ADDRESS'] = servers.temporalAddress;
  try {
    process.env['AGENTFORGE_TEST_TEMPLATE'] = await ensureTemplate(servers.databaseUrl);
  } catch (error) {
    await servers.stop();
    throw error;
  }
  return servers;
}

/** Serves one set for several test runs until it gets a signal. */
export async function serveTestServers(): Promise<void> {
  const servers = await startOwn();
  const { stop, ...addresses } = servers;
  writeFileSync(SHARED_FILE, JSON.stringify(addresses), { mode: 0o600 });
  writePidFile(SHARED_PID_FILE, process.pid, 'test servers');
  process.stdout.write(`Test servers run until Ctrl-C; test runs find them by ${SHARED_FILE}.\n`);
  const keepAlive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolveEnd) => {
    process.once('SIGINT', resolveEnd).once('SIGTERM', resolveEnd);
  });
  clearInterval(keepAlive);
  rmSync(SHARED_FILE, { force: true });
  rmSync(SHARED_PID_FILE, { force: true });
  await stop();
}

/** null: none run, or with the other Temporal */
function readShared(): Running | null {
  if (!readRunning(SHARED_PID_FILE)) {
    return null;
  }
  const addresses = Addresses.parse(JSON.parse(readFileSync(SHARED_FILE, 'utf8')));
  if (addresses.temporalKind !== chosenTemporal()) {
    return null;
  }
  return { ...addresses, stop: () => Promise.resolve() };
}

async function startOwn(): Promise<Running> {
  const servers = await startTemporary({
    prefix: 'agentforge-test-',
    toolsDir: join(HOME, 'tools'),
    durability: { postgres: false, temporal: 'OFF' },
    redisDatabases: TEST_REDIS_DATABASES,
    say: (line) => process.stdout.write(`${line}\n`),
  });
  return {
    temporalKind: chosenTemporal(),
    databaseUrl: servers.adminDatabaseUrl ?? '',
    redisUrl: servers.redisUrl ?? '',
    observerRedisUrl: servers.observerRedisUrl,
    collectorRedisUrl: servers.collectorRedisUrl ?? '',
    temporalAddress: servers.temporalAddress ?? '',
    stop: servers.stop,
  };
}

/** A database with all migrations, made once per state of the migrations, for tests to clone. */
async function ensureTemplate(databaseUrl: string): Promise<string> {
  const name = `agentforge_template_${hashOfMigrations()}`;
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  try {
    await admin.query(`select pg_advisory_lock(hashtext('agentforge test template'))`);
    const found = await admin.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) {
      await admin.query(`drop database if exists ${name}_draft with (force)`);
      await admin.query(`create database ${name}_draft`);
      await migrateDatabase(databaseUrl, `${name}_draft`);
      await admin.query(`alter database ${name}_draft rename to ${name}`);
    }
    return name;
  } finally {
    await admin.end();
  }
}

async function migrateDatabase(databaseUrl: string, name: string): Promise<void> {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  const db = connectDb({
    url: url.href,
    poolSize: 1,
    applicationName: 'test-template',
    statementTimeoutMs: 0,
  });
  try {
    await migrate(db);
  } finally {
    await db.destroy();
  }
}

function hashOfMigrations(): string {
  const directory = join(ROOT, 'db/migrations');
  const files = readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
  const hash = createHash('sha256');
  [...files, join(ROOT, 'db/migrate.ts')].forEach((file) => hash.update(readFileSync(file)));
  return hash.digest('hex').slice(0, 12);
}
