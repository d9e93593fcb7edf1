/**
 * The servers that AgentForge needs, started on this machine for those who have none: PostgreSQL,
 * Redis and Temporal, with their state in one directory.
 */
import { accessSync, constants, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadPasswords } from './passwords.js';
import { LOCAL_HOST, requireFreePort } from './ports.js';
import { findPostgresPlace } from './postgres-place.js';
import { appDatabaseAddress, postgresAddress, startPostgres } from './postgres.js';
import { closeToOthers, isOurs, PRIVATE_DIRECTORY } from './private-files.js';
import { endLeftover, type ServerProcess } from './process.js';
import { findTool, REDIS_TOOL, TEMPORAL_TOOL } from './python-tools.js';
import { redisAddress, startRedis } from './redis.js';
import { loadSecrets } from './secrets.js';
import { STOPPING } from './stopping.js';
import { findTemporalPrograms } from './temporal-programs.js';
import type { TemporalServerOptions } from './temporal-server.js';
import { startTemporal, type TemporalOptions, type TemporalUiPlace } from './temporal.js';

export type Part = 'postgres' | 'redis' | 'temporal';

/** They stop the other way round. */
const PARTS: readonly Part[] = ['postgres', 'redis', 'temporal'];

/** Redis's own default. */
const REDIS_DATABASES = 16;

export interface EmbeddedOptions {
  /** Where all state lives. */
  readonly home: string;
  /** Where downloaded programs live; `<home>/tools` by default. */
  readonly toolsDir?: string;
  /** A part that is missing here is not started. */
  readonly ports: {
    readonly postgres?: number;
    readonly redis?: number;
    readonly temporal?: number;
  };
  /** Absent: Temporal without its Web UI. */
  readonly temporalUi?: TemporalUiPlace;
  readonly durability?: {
    readonly postgres: boolean;
    readonly temporal: TemporalOptions['synchronous'];
  };
  /** How many numbered databases Redis has; 16, its own default, where nothing is said. */
  readonly redisDatabases?: number;
  /** Users of Redis besides our own, as lines of an ACL file. */
  readonly moreRedisUsers?: readonly string[];
  /** Present: Temporal's real server, on the PostgreSQL started here, in place of the dev server. */
  readonly realTemporal?: Pick<TemporalServerOptions, 'dynamicConfigFile'> | undefined;
  readonly say: (line: string) => void;
}

export interface Embedded {
  /** null: not started here */
  readonly databaseUrl: string | null;
  /** For the administrator of the database server, who may make databases. */
  readonly adminDatabaseUrl: string | null;
  readonly redisUrl: string | null;
  /** For collectors, which have keys of their own in Redis. */
  readonly collectorRedisUrl: string | null;
  readonly temporalAddress: string | null;
  /** Of the Web UI itself: for the API alone. */
  readonly temporalUiUrl: string | null;
  readonly servers: ReadonlyMap<Part, ServerProcess>;
  readonly logFiles: readonly string[];
  /** Starts a part again that has ended. */
  restart(part: Part): Promise<ServerProcess>;
  /** Stops them in reverse order. */
  stop(): Promise<void>;
}

/** @throws Error with the cure when a part cannot be had; the others are stopped then. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  makeHome(options.home);
  await endLeftoverServers(options.home);
  const parts = wantedParts(options);
  await requirePorts(options);
  const servers = new Map<Part, ServerProcess>();
  const start = async (part: Part): Promise<ServerProcess> => {
    const server = await startPart(part, options);
    servers.set(part, server);
    return server;
  };
  const stop = async (): Promise<void> => {
    for (const part of PARTS.toReversed()) {
      await servers.get(part)?.stop();
    }
  };
  for (const together of stagesOf(parts, options)) {
    const outcomes = await Promise.allSettled(together.map(start));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      await stop();
      throw failed.reason;
    }
  }
  const logFiles = parts.map((part) => logFileOf(part, options.home));
  return { ...addressesOf(options), servers, logFiles, restart: start, stop };
}

/**
 * Makes the state directory, which is its owner's alone, also where an earlier release has left it
 * open to others.
 *
 * @throws Error with the cure when it cannot be used
 */
export function makeHome(home: string): void {
  const mode = PRIVATE_DIRECTORY;
  try {
    mkdirSync(home, { recursive: true, mode });
    accessSync(home, constants.W_OK);
    if (isOurs(statSync(home))) {
      closeToOthers(realpathSync(home)); // which may be a link: its owner chose where it leads
      mkdirSync(join(home, 'logs'), { recursive: true, mode });
      return;
    }
  } catch (cause) {
    throw new Error(
      `${home} is not writable: make it yours (chown), or set AGENTFORGE_HOME to another directory.`,
      { cause },
    );
  }
  throw new Error(
    `${home} belongs to another user: start as that user, make it yours (chown -R), or set AGENTFORGE_HOME to another directory.`,
  );
}

/** Ends servers that an earlier start in this home has left behind. */
export async function endLeftoverServers(home: string): Promise<void> {
  const ends = PARTS.map((part) =>
    endLeftover(join(home, `${part}.pid`), { ...STOPPING[part], logFile: logFileOf(part, home) }),
  );
  await Promise.all(ends);
}

function logFileOf(part: Part, home: string): string {
  return join(home, 'logs', `${part}.log`);
}

/** Removes a home and all that is kept elsewhere for it. */
export function forgetState(home: string): void {
  rmSync(findPostgresPlace(home).root, { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
}

function wantedParts({ ports }: EmbeddedOptions): readonly Part[] {
  return PARTS.filter((part) => ports[part] !== undefined);
}

/** Parts that start together, in order: the real Temporal needs PostgreSQL. */
function stagesOf(
  parts: readonly Part[],
  { realTemporal }: EmbeddedOptions,
): readonly (readonly Part[])[] {
  const isLater = (part: Part): boolean => realTemporal !== undefined && part === 'temporal';
  return [parts.filter((part) => !isLater(part)), parts.filter(isLater)];
}

async function requirePorts({ ports }: EmbeddedOptions): Promise<void> {
  const variables = {
    POSTGRES_PORT: ports.postgres,
    REDIS_PORT: ports.redis,
    TEMPORAL_PORT: ports.temporal,
  };
  for (const [variable, port] of Object.entries(variables)) {
    if (port != null) {
      await requireFreePort(variable, port);
    }
  }
}

async function startPart(part: Part, options: EmbeddedOptions): Promise<ServerProcess> {
  const place: Place = {
    home: options.home,
    port: options.ports[part] ?? 0,
    tools: { toolsDir: options.toolsDir ?? join(options.home, 'tools'), say: options.say },
  };
  switch (part) {
    case 'postgres': {
      const password = loadSecrets(options.home).postgresPassword;
      const appPassword = loadPasswords(options.home).database;
      const durable = options.durability?.postgres ?? true;
      return startPostgres({ ...place, password, appPassword, durable });
    }
    case 'redis': {
      const program = await findTool(REDIS_TOOL, place.tools);
      const databases = options.redisDatabases ?? REDIS_DATABASES;
      const passwords = loadPasswords(options.home);
      const moreUsers = options.moreRedisUsers ?? [];
      return startRedis({ ...place, program, databases, passwords, moreUsers });
    }
    case 'temporal':
      return startChosenTemporal(place, options);
  }
}

interface Place {
  readonly home: string;
  readonly port: number;
  readonly tools: Parameters<typeof findTool>[1];
}

async function startChosenTemporal(place: Place, options: EmbeddedOptions): Promise<ServerProcess> {
  if (options.realTemporal) {
    // loaded here, because it loads Temporal's client, which `npm start` does without
    const { startTemporalServer } = await import('./temporal-server.js');
    return startTemporalServer({
      ...place,
      databaseUrl: addressesOf(options).adminDatabaseUrl ?? '',
      programs: await findTemporalPrograms(place.tools),
      ...options.realTemporal,
    });
  }
  return startTemporal({
    ...place,
    ui: options.temporalUi ?? null,
    program: await findTool(TEMPORAL_TOOL, place.tools),
    synchronous: options.durability?.temporal ?? 'NORMAL',
  });
}

type Addresses = Omit<Embedded, 'servers' | 'logFiles' | 'restart' | 'stop'>;

/** Where the parts are that are started here, whether or not they run now. */
export function addressesOf({
  home,
  ports,
  temporalUi,
}: Pick<EmbeddedOptions, 'home' | 'ports' | 'temporalUi'>): Addresses {
  const temporal = inTemporal(ports.temporal, temporalUi);
  return { ...inDatabase(home, ports), ...inRedis(home, ports), ...temporal };
}

type Ports = EmbeddedOptions['ports'];

function inDatabase(home: string, { postgres: port }: Ports) {
  return port === undefined
    ? { databaseUrl: null, adminDatabaseUrl: null }
    : {
        databaseUrl: appDatabaseAddress({ port, appPassword: loadPasswords(home).database }),
        adminDatabaseUrl: postgresAddress({ port, password: loadSecrets(home).postgresPassword }),
      };
}

function inRedis(home: string, { redis: port }: Ports) {
  return port === undefined
    ? { redisUrl: null, collectorRedisUrl: null }
    : {
        redisUrl: redisAddress('agentforge', port, loadPasswords(home)),
        collectorRedisUrl: redisAddress('collector', port, loadPasswords(home)),
      };
}

function inTemporal(temporal: number | undefined, ui: EmbeddedOptions['temporalUi']) {
  return {
    temporalAddress: temporal === undefined ? null : `${LOCAL_HOST}:${temporal}`,
    temporalUiUrl:
      temporal === undefined || ui === undefined ? null : `http://${ui.host}:${ui.port}`,
  };
}
