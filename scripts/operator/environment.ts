/** What commands on the server run with: the same environment as the product itself. */
import { existsSync } from 'node:fs';
import { connectDb, type Db } from '../../db/connect.js';
import { maskText } from '../../telemetry/logger.js';
import { addressesOf } from '../embedded/embedded.js';
import { loadSecrets, secretsFileOf } from '../embedded/secrets.js';
import { embeddedPorts } from '../start/embedded-ports.js';
import { readSettings } from '../start/settings.js';

/** What is set wins; where `npm start` has been used, the rest means its embedded parts. */
export function operatorEnvironment(): NodeJS.ProcessEnv {
  const settings = readSettings();
  const { home, env } = settings;
  if (!existsSync(secretsFileOf(home))) {
    return env;
  }
  const { secretKey, encryptionKey, auditSigningKey } = loadSecrets(home);
  const { databaseUrl, redisUrl, temporalAddress } = addressesOf({
    home,
    ports: embeddedPorts(settings),
  });
  return {
    SECRET_KEY: secretKey,
    ENCRYPTION_KEY: encryptionKey,
    AUDIT_SIGNING_KEY: auditSigningKey,
    DATABASE_URL: databaseUrl ?? '',
    REDIS_URL: redisUrl ?? '',
    TEMPORAL_ADDRESS: temporalAddress ?? '',
    ...env,
  };
}

/** @throws Error that names the cure */
export async function withDatabase<T>(url: string, work: (db: Db) => Promise<T>): Promise<T> {
  if (url === '') {
    throw new Error('Set DATABASE_URL to the database that is meant.');
  }
  const db = connectDb({ url, poolSize: 2, applicationName: 'agentforge-operator' });
  try {
    await db.selectFrom('users').select('id').limit(1).execute();
  } catch (cause) {
    await db.destroy();
    throw new Error(explain(url, cause), { cause });
  }
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

/** Source: PostgreSQL manual, appendix A: undefined_table. */
const NO_SUCH_TABLE = '42P01';

function explain(url: string, cause: unknown): string {
  const place = maskText(url);
  if (cause instanceof Error && 'code' in cause && cause.code === NO_SUCH_TABLE) {
    return `The database ${place} has no tables yet: run npm run db:migrate first.`;
  }
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  return `The database ${place} cannot be used (${maskText(why)}): check DATABASE_URL, and that it runs.`;
}

/** Ends a command: a problem is one sentence and exit code 1. */
export async function runCommand(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
