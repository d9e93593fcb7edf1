import { spawn } from 'node:child_process';
import { chownSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { LOCAL_HOST } from './ports.js';
import { clearAfterKill } from './postgres-lock.js';
import { findPostgresPlace, withDirectory, type PostgresPlace } from './postgres-place.js';
import { ADMINISTRATOR, APP_ROLE, DATABASE, prepareDatabase } from './postgres-role.js';
import { writePrivateFile } from './private-files.js';
import { startServer, type ServerProcess } from './process.js';
import { STOPPING } from './stopping.js';

export interface PostgresOptions {
  readonly home: string;
  readonly port: number;
  /** Of the administrator, which only this start uses. */
  readonly password: string;
  /** Of our processes' own role. */
  readonly appPassword: string;
  /** False: fast, and lost with a power cut. For tests. */
  readonly durable: boolean;
}

const SETTINGS = [
  `listen_addresses=${LOCAL_HOST}`,
  'unix_socket_directories=',
  'max_connections=300',
];
const FAST_SETTINGS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
/** Source: PostgreSQL manual, appendix A: invalid_password. */
const WRONG_PASSWORD = '28P01';

/** For the administrator of the server: makes databases, and may do anything. */
export function postgresAddress(options: Pick<PostgresOptions, 'port' | 'password'>): string {
  return addressOf(ADMINISTRATOR, options.password, options.port);
}

/** For our processes: the role that owns the product's database, and may do nothing outside of it. */
export function appDatabaseAddress(options: Pick<PostgresOptions, 'port' | 'appPassword'>): string {
  return addressOf(APP_ROLE, options.appPassword, options.port);
}

function addressOf(role: string, password: string, port: number): string {
  return `postgresql://${role}:${password}@${LOCAL_HOST}:${port}/${DATABASE}`;
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
  const server = await withDirectory(place, ({ path, directory }) =>
    startServer({
      name: 'PostgreSQL',
      command: join(place.binDir, 'postgres'),
      args: [
        ...['-D', join(path, 'data'), '-p', String(options.port)],
        ...settings.flatMap((text) => ['-c', text]),
      ],
      env: environmentOf(),
      cwd: '/',
      user: place.user,
      directory,
      pidFile: join(options.home, 'postgres.pid'),
      logFile: join(options.home, 'logs', 'postgres.log'),
      isReady: () => answers(options),
      ...STOPPING.postgres,
    }),
  );
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
  writePrivateFile(passwordFile, `${options.password}\n`);
  if (place.user) {
    chownSync(passwordFile, place.user.uid, place.user.gid);
  }
  try {
    await runInitdb(place, options.durable ? [] : ['--no-sync']);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : '';
    throw new Error(`The database cannot be made in ${place.root}: ${said}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, join(place.root, 'data'));
}

/** @throws Error with what initdb has said */
async function runInitdb(place: PostgresPlace, more: readonly string[]): Promise<void> {
  await withDirectory(place, async ({ path, directory }) => {
    const login = ['--username', ADMINISTRATOR, '--auth', 'scram-sha-256'];
    const password = ['--pwfile', join(path, 'password')];
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const args = ['--pgdata', join(path, 'data.new'), ...login, ...password, ...locale];
    const child = spawn(join(place.binDir, 'initdb'), [...args, '--locale=C', ...more], {
      ...place.user,
      cwd: '/',
      env: environmentOf(),
      stdio: ['ignore', 'ignore', 'pipe', ...(directory === null ? [] : [directory])],
    });
    let said = '';
    child.stderr?.on('data', (text) => (said += String(text)));
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (status !== 0) {
      throw new Error(said.trim());
    }
  });
}

async function answers(options: PostgresOptions): Promise<boolean> {
  try {
    await asAdministrator(options, 'postgres', (client) => client.query('select 1'));
    return true;
  } catch (error) {
    return isWrongPassword(error); // it does answer; told below
  }
}

async function ensureDatabase(options: PostgresOptions, root: string): Promise<void> {
  try {
    await prepareDatabase(
      (database, work) => asAdministrator(options, database, work),
      options.appPassword,
    );
  } catch (cause) {
    const message = isWrongPassword(cause)
      ? `The password in ${join(options.home, 'secrets.json')} is not the database's: restore that file, or remove ${root} to begin with an empty database.`
      : `The database cannot be prepared: ${cause instanceof Error ? cause.message : ''}`;
    throw new Error(message, { cause });
  }
}

function isWrongPassword(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === WRONG_PASSWORD;
}

async function asAdministrator(
  { port, password }: PostgresOptions,
  database: string,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({
    ...{ host: LOCAL_HOST, port, user: ADMINISTRATOR, password, database },
  });
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
