import { execFile } from 'node:child_process';
import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { LOCAL_HOST } from './ports.js';
import { clearAfterKill } from './postgres-lock.js';
import { findPostgresPlace, type PostgresPlace } from './postgres-place.js';
import { startServer, type ServerProcess } from './process.js';
import { STOPPING } from './stopping.js';

export interface PostgresOptions {
  readonly home: string;
  readonly port: number;
  readonly password: string;
  /** False: fast, and lost with a power cut. For tests. */
  readonly durable: boolean;
}

const USER = 'agentforge';
const DATABASE = 'agentforge';
const SETTINGS = [
  `listen_addresses=${LOCAL_HOST}`,
  'unix_socket_directories=',
  'max_connections=300',
];
const FAST_SETTINGS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
/** Source: PostgreSQL manual, appendix A: invalid_password. */
const WRONG_PASSWORD = '28P01';
const runFile = promisify(execFile);

export function postgresAddress(options: Pick<PostgresOptions, 'port' | 'password'>): string {
  return `postgresql://${USER}:${options.password}@${LOCAL_HOST}:${options.port}/${DATABASE}`;
}

/** Makes the cluster and our database where they are missing, and serves them. */
export async function startPostgres(options: PostgresOptions): Promise<ServerProcess> {
  const place = findPostgresPlace(options.home);
  const dataDir = join(place.root, 'data');
  if (!existsSync(dataDir)) {
    await initialize(place, options);
  }
  await clearAfterKill(dataDir);
  const settings = [...SETTINGS, ...(options.durable ? [] : FAST_SETTINGS)];
  const server = await startServer({
    name: 'PostgreSQL',
    command: join(place.binDir, 'postgres'),
    args: ['-D', dataDir, '-p', String(options.port), ...settings.flatMap((text) => ['-c', text])],
    env: environmentOf(),
    cwd: '/',
    user: place.user,
    pidFile: join(options.home, 'postgres.pid'),
    logFile: join(options.home, 'logs', 'postgres.log'),
    isReady: () => answers(options),
    ...STOPPING.postgres,
  });
  await ensureDatabase(options, place.root).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return server;
}

function environmentOf(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

/** Into a second directory, renamed when whole: a killed start leaves no half cluster. */
async function initialize(place: PostgresPlace, options: PostgresOptions): Promise<void> {
  const draft = join(place.root, 'data.new');
  const passwordFile = join(place.root, 'password');
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (place.user) {
    chownSync(passwordFile, place.user.uid, place.user.gid);
  }
  const login = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', passwordFile];
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const sync = options.durable ? [] : ['--no-sync'];
  try {
    const args = ['--pgdata', draft, ...login, ...locale, '--locale=C', ...sync];
    await runFile(join(place.binDir, 'initdb'), args, {
      ...place.user,
      cwd: '/',
      env: environmentOf(),
    });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : '';
    throw new Error(`The database cannot be made in ${place.root}: ${said}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, join(place.root, 'data'));
}

async function answers(options: PostgresOptions): Promise<boolean> {
  try {
    await runSql(options, 'select 1');
    return true;
  } catch (error) {
    return isWrongPassword(error); // it does answer; told below
  }
}

async function ensureDatabase(options: PostgresOptions, root: string): Promise<void> {
  try {
    const found = await runSql(options, `select 1 from pg_database where datname = '${DATABASE}'`);
    if (found === 0) {
      await runSql(options, `create database ${DATABASE}`);
    }
  } catch (cause) {
    const message = isWrongPassword(cause)
      ? `The password in ${join(options.home, 'secrets.json')} is not the database's: restore that file, or remove ${root} to begin with an empty database.`
      : 'The database does not answer.';
    throw new Error(message, { cause });
  }
}

function isWrongPassword(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === WRONG_PASSWORD;
}

/** @returns how many rows came back */
async function runSql(options: PostgresOptions, statement: string): Promise<number> {
  const { port, password } = options;
  const client = new pg.Client({
    host: LOCAL_HOST,
    port,
    user: USER,
    password,
    database: 'postgres',
  });
  try {
    await client.connect();
    return (await client.query(statement)).rowCount ?? 0;
  } finally {
    await client.end().catch(() => undefined);
  }
}
