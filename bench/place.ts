/** Where a program of bench/ measures: servers as `npm start` runs them, in a temporary directory. */
import { randomBytes, randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { connectDb, type Db } from '../db/connect.js';
import { migrate } from '../db/migrate.js';
import { startTemporary } from '../scripts/embedded/temporary.js';
import type { Watched } from './cpu.js';

export interface Place {
  /** Logs and pid files go there. */
  readonly home: string;
  readonly db: Db;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly temporalAddress: string;
  /** What every process is told by its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The built files that are run; absent: those of this checkout. */
  readonly dist?: string;
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
export async function withPlace<T>(measure: (place: Place) => Promise<T>): Promise<T> {
  const servers = await startTemporary({
    prefix: 'agentforge-bench-',
    toolsDir: join(ROOT, '.agentforge', 'tools'),
    say,
  });
  try {
    const place = placeOf(servers.home, addressesOf(servers), [
      ...[...servers.servers].map(([name, { pid }]) => ({ name, pid })),
    ]);
    try {
      await migrate(place.db);
      return await measure(place);
    } finally {
      await place.db.destroy();
    }
  } finally {
    await servers.stop();
  }
}

/** @param addresses of servers with the current schema */
export function placeOf(
  home: string,
  addresses: ServerAddresses,
  watched: readonly Watched[] = [],
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
  return { home, db, ...addresses, env, watched };
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
