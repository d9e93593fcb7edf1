/**
 * Temporal's real server as docker-compose.yml runs it: the settings that its image takes from the
 * environment, the dynamic configuration of deploy/compose, and PostgreSQL; here in one process.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { acceptsConnections, findFreePort, LOCAL_HOST } from './ports.js';
import { startServer, type ServerProcess } from './process.js';
import { serverEnvironment } from './server-environment.js';
import { STOPPING } from './stopping.js';
import { isNamespaceReady } from './temporal-namespace.js';
import type { TemporalPrograms } from './temporal-programs.js';

export interface TemporalServerOptions {
  readonly home: string;
  readonly programs: TemporalPrograms;
  readonly port: number;
  /** Of a PostgreSQL whose user may make databases. */
  readonly databaseUrl: string;
  /** The dynamic configuration of production. */
  readonly dynamicConfigFile: string;
  /** What its databases' names begin with, where several servers share a PostgreSQL. */
  readonly databases?: string;
  /** Where the server shows what it measures; absent: nowhere. */
  readonly metricsPort?: number;
}

/** By what their names end with. */
const SCHEMAS = [
  ['', 'postgresql/v12/temporal'],
  ['_visibility', 'postgresql/v12/visibility'],
] as const;
const DATABASES = 'temporal';
/** As in docker-compose.yml. */
const PLUGIN = 'postgres12';
const SHARDS = 64;
/** A deleted history goes after the next of these, which tests wait for. */
const TEST_CONFIG = 'history.transferProcessorUpdateAckInterval:\n  - value: 1s\n';
const SERVICES = ['FRONTEND', 'MATCHING', 'HISTORY', 'WORKER'];
const READY_TIMEOUT_MS = 120_000;
const runFile = promisify(execFile);

export async function startTemporalServer(options: TemporalServerOptions): Promise<ServerProcess> {
  const dynamicConfig = join(options.home, 'temporal-dynamic.yaml');
  writeFileSync(dynamicConfig, readFileSync(options.dynamicConfigFile, 'utf8') + TEST_CONFIG);
  const { databaseUrl, databases = DATABASES } = options;
  for (const [ending, schema] of SCHEMAS) {
    const database = `${databases}${ending}`;
    await ensureDatabase(databaseUrl, database);
    await bringSchemaUpToDate(options, { database, schema });
  }
  await forgetMembers(databaseUrl, databases);
  const address = `${LOCAL_HOST}:${options.port}`;
  return startServer({
    name: 'Temporal',
    command: options.programs.server,
    args: ['--allow-no-auth', 'start'],
    env: { ...environmentOf(options, dynamicConfig), ...(await portsOf(options.port)) },
    cwd: options.home,
    pidFile: join(options.home, 'temporal.pid'),
    logFile: join(options.home, 'logs', 'temporal.log'),
    isReady: async () =>
      (await acceptsConnections(options.port)) && (await isNamespaceReady(address)),
    readyTimeoutMs: READY_TIMEOUT_MS,
    ...STOPPING.temporal,
  });
}

function environmentOf(options: TemporalServerOptions, dynamicConfig: string): NodeJS.ProcessEnv {
  const { databases = DATABASES, metricsPort } = options;
  const { hostname, port, username, password } = new URL(options.databaseUrl);
  return {
    ...serverEnvironment(),
    TZ: 'UTC',
    DB: PLUGIN,
    POSTGRES_SEEDS: hostname,
    DB_PORT: port,
    POSTGRES_USER: username,
    POSTGRES_PWD: password,
    DBNAME: databases,
    VISIBILITY_DBNAME: `${databases}_visibility`,
    NUM_HISTORY_SHARDS: String(SHARDS),
    BIND_ON_IP: LOCAL_HOST,
    DYNAMIC_CONFIG_FILE_PATH: dynamicConfig,
    LOG_LEVEL: 'warn',
    ...(metricsPort === undefined ? {} : { PROMETHEUS_ENDPOINT: `${LOCAL_HOST}:${metricsPort}` }),
  };
}

/** Every service has a port for calls and one for finding the others; the frontend a third for HTTP. */
async function portsOf(frontendPort: number): Promise<Readonly<Record<string, string>>> {
  const names = SERVICES.flatMap((name) => [`${name}_GRPC_PORT`, `${name}_MEMBERSHIP_PORT`]);
  const ports: Record<string, string> = {};
  for (const name of [...names, 'FRONTEND_HTTP_PORT']) {
    ports[name] = String(name === 'FRONTEND_GRPC_PORT' ? frontendPort : await findFreePort());
  }
  return ports;
}

async function ensureDatabase(databaseUrl: string, name: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) {
      await client.query(`create database ${name}`);
    }
  });
}

/** Those of an earlier start are dead, and a new one would look for them for a minute. */
async function forgetMembers(databaseUrl: string, database: string): Promise<void> {
  const url = new URL(databaseUrl);
  url.pathname = `/${database}`;
  await withClient(url.href, async (client) => {
    await client.query('delete from cluster_membership');
  });
}

async function withClient(url: string, use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

/** The same steps as deploy/compose/temporal-schema.sh; repeated, they change nothing. */
async function bringSchemaUpToDate(
  { programs, databaseUrl }: TemporalServerOptions,
  { database, schema }: { readonly database: string; readonly schema: string },
): Promise<void> {
  const { hostname, port, username, password } = new URL(databaseUrl);
  const env = {
    SQL_PLUGIN: PLUGIN,
    SQL_HOST: hostname,
    SQL_PORT: port,
    SQL_USER: username,
    SQL_PASSWORD: password,
    SQL_DATABASE: database,
  };
  await runFile(programs.sqlTool, ['setup-schema', '--version', '0.0'], { env });
  await runFile(programs.sqlTool, ['update-schema', '--schema-name', schema], { env });
}
