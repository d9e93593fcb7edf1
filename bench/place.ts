/** Where a program of bench/ measures: servers as `npm start` runs them, in a temporary directory. */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { connectDb, type Db } from '../db/connect.js';
import { startTemporary } from '../scripts/embedded/temporary.js';
import { PRESENT, type Build } from './builds.js';
import type { Watched } from './cpu.js';

export interface Place {
  /** Logs and pid files go there. */
  readonly home: string;
  readonly db: Db;
  readonly databaseUrl: string;
  /** Of the database server's administrator; null where the server is not ours alone. */
  readonly adminDatabaseUrl: string | null;
  readonly redisUrl: string;
  readonly temporalAddress: string;
  /** The environment of every process. */
  readonly env: Readonly<Record<string, string>>;
  /** The product that is run there; its own migrations have made the schema. */
  readonly build: Build;
  /** The servers whose processor time is to be shown; none where others use them too. */
  readonly watched: readonly Watched[];
}

export interface ServerAddresses {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly temporalAddress: string;
}

const ROOT = resolve(import.meta.dirname, '..');
const POOL_SIZE = 5;

/** Starts the servers, measures, and stops them, also where measuring fails. */
export async function withPlace<T>(
  build: Build,
  measure: (place: Place) => Promise<T>,
): Promise<T> {
  const servers = await startTemporary({
    prefix: 'agentforge-bench-',
    toolsDir: join(ROOT, '.agentforge', 'tools'),
    say,
  });
  try {
    const watched = [...servers.servers].map(([name, { pid }]) => ({ name, pid }));
    const { adminDatabaseUrl } = servers;
    const place = placeOf(servers.home, addressesOf(servers), { build, watched, adminDatabaseUrl });
    try {
      await migrate(place);
      return await measure(place);
    } finally {
      await place.db.destroy();
    }
  } finally {
    await servers.stop();
  }
}

/** Each build with servers of its own. */
export async function withPlaces<T>(
  [build, ...rest]: readonly Build[],
  measure: (places: readonly Place[]) => Promise<T>,
  opened: readonly Place[] = [],
): Promise<T> {
  return build === undefined
    ? measure(opened)
    : withPlace(build, (place) => withPlaces(rest, measure, [...opened, place]));
}

async function migrate({ build, home, databaseUrl, env }: Place): Promise<void> {
  const args = [join(build.dist, 'scripts/db.js'), 'migrate'];
  await promisify(execFile)(process.execPath, args, {
    cwd: home, // a `.env` in the checkout is somebody's own
    env: { PATH: env['PATH'], DATABASE_URL: databaseUrl },
  });
}

/** @param addresses of servers with the current schema */
export function placeOf(
  home: string,
  addresses: ServerAddresses,
  {
    build = PRESENT,
    watched = [],
    adminDatabaseUrl = null,
  }: Partial<Pick<Place, 'build' | 'watched' | 'adminDatabaseUrl'>> = {},
): Place {
  const { databaseUrl, redisUrl, temporalAddress } = addresses;
  const db = connectDb({
    url: databaseUrl,
    poolSize: POOL_SIZE,
    applicationName: 'bench',
    statementTimeoutMs: 0, // migrations
  });
  const env = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_TASK_QUEUE: `bench-${randomUUID()}`,
    SECRET_KEY: randomBytes(32).toString('hex'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_SIGNING_KEY: randomBytes(32).toString('base64'),
    SIMULATED_MODELS: 'true',
    RATE_LIMIT_PRO: '-1',
    DATA_COLLECTOR_URL: 'http://127.0.0.1:9',
  };
  return { home, db, ...addresses, adminDatabaseUrl, env, build, watched };
}

function addressesOf(servers: {
  databaseUrl: string | null;
  redisUrl: string | null;
  temporalAddress: string | null;
}): ServerAddresses {
  const { databaseUrl, redisUrl, temporalAddress } = servers;
  return {
    databaseUrl: databaseUrl ?? '',
    redisUrl: redisUrl ?? '',
    temporalAddress: temporalAddress ?? '',
  };
}

/** Progress goes to the error stream, the report alone to the output. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
