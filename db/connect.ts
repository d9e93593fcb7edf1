import { CamelCasePlugin, Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { preparing } from './prepared.js';
import type { Database } from './schema.js';

/** What functions of `db/` take first: the pool, or a transaction of the caller's. */
export type Db = Kysely<Database>;
export type Tx = Transaction<Database>;

export interface DbOptions {
  /** `postgresql://…`; the `+asyncpg` form of other clients is accepted. */
  readonly url: string;
  readonly poolSize: number;
  readonly applicationName: string;
  /** Called for connections that were lost while idle. */
  readonly onIdleError?: (error: Error) => void;
  /** How long one statement may take, waiting for locks included; 0 for migrations: no limit. */
  readonly statementTimeoutMs?: number;
  /** Told of each statement, without its parameters. */
  readonly onStatement?: (statement: string, parameters: readonly unknown[]) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 8_000;
/** A server that says nothing for this much longer than a statement may take is gone. */
const SILENCE_SLACK_MS = 1_000;
/** Unused connections are kept through quiet times: making one anew costs more than a chat turn's statements. */
const IDLE_TIMEOUT_MS = 10 * 60_000;
/**
 * Plans are made once for all parameters: where PostgreSQL chooses, it plans our longer statements anew at each
 * execution, which takes longer than to execute them. See index-conditions.ts.
 * Source: PostgreSQL, "plan_cache_mode".
 */
const SESSION_OPTIONS = '-c plan_cache_mode=force_generic_plan';

/** Opens a pool; connections are made when first needed. End it with `db.destroy()`. */
export function connectDb(options: DbOptions): Db {
  pg.types.setTypeParser(pg.types.builtins.INT8, Number); // counts stay far below 2^53
  const { onIdleError = ignore, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const pool = new pg.Pool({
    connectionString: postgresUrl(options.url),
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    options: SESSION_OPTIONS,
    statement_timeout: statementTimeoutMs,
    maxLifetimeSeconds: 3_600,
  });
  pool.on('error', onIdleError);
  pool.on('connect', (client) => {
    // an 'error' event without a listener would crash Node; a query that is under way fails besides
    client.on('error', ignore);
  });
  const silenceMs = statementTimeoutMs > 0 ? statementTimeoutMs + SILENCE_SLACK_MS : null;
  return new Kysely<Database>({
    dialect: new PostgresDialect({ pool: preparing(pool, { silenceMs }) }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    log: ({ query }) => options.onStatement?.(query.sql, query.parameters),
  });
}

function ignore(): void {
  // reported elsewhere
}

/** `postgresql+asyncpg://…` → `postgresql://…`. */
export function postgresUrl(url: string): string {
  return url.replace(/^postgres(ql)?\+\w+:/, 'postgresql:');
}
