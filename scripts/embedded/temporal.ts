import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SEARCH_ATTRIBUTES } from '../../domain/run/search-attributes.js';
import { acceptsConnections, findFreePort, LOCAL_HOST } from './ports.js';
import { startServer, type ServerProcess } from './process.js';
import { serverEnvironment } from './server-environment.js';
import { STOPPING } from './stopping.js';

export interface TemporalOptions {
  readonly home: string;
  readonly program: string;
  readonly port: number;
  /** null: no Web UI */
  readonly ui: TemporalUiPlace | null;
  /** Where the server shows what it measures; absent: at a port of its own choice. */
  readonly metricsPort?: number;
  /** `FULL` survives a power cut; `NORMAL` (twice as fast) survives any crash of a process. */
  readonly synchronous: 'FULL' | 'NORMAL' | 'OFF';
}

/** Where the Web UI itself listens, which has no login: the API stands before it. */
export interface TemporalUiPlace {
  readonly host: string;
  readonly port: number;
}

const MAX_OCTET = 254;

/**
 * Another one at each start, and on Linux on another loopback address, too: so that no web page that
 * somebody visits can know it.
 */
export async function findTemporalUiPlace(): Promise<TemporalUiPlace> {
  const octet = (): number => randomInt(1, MAX_OCTET);
  const isLinux = process.platform === 'linux'; // elsewhere only 127.0.0.1 is there
  const host = isLinux ? `127.${octet()}.${octet()}.${octet()}` : LOCAL_HOST;
  return { host, port: await findFreePort() };
}

/** The dev server polls its queues 20 times a second by default, which every workflow task waits for. */
const DYNAMIC_CONFIG = [
  'history.transferProcessorUpdateAckInterval="1s"', // a deleted history goes after the next of these
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=200',
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'frontend.httpAllowedHosts=[]', // the HTTP API cannot be switched off: it answers under no name
];
/** For how long closed histories are kept. */
export const RETENTION = '720h';
export const NAMESPACE = 'default';
const runFile = promisify(execFile);

export async function startTemporal(options: TemporalOptions): Promise<ServerProcess> {
  return startServer({
    name: 'Temporal',
    command: options.program,
    args: serverArguments(options),
    env: environmentOf(options),
    pidFile: join(options.home, 'temporal.pid'),
    logFile: join(options.home, 'logs', 'temporal.log'),
    isReady: async () => (await acceptsConnections(options.port)) && (await setRetention(options)),
    readyTimeoutMs: 60_000,
    ...STOPPING.temporal,
  });
}

/** Its own settings are looked for beside its data, and not in the user's. */
function environmentOf({ home }: TemporalOptions): NodeJS.ProcessEnv {
  return { ...serverEnvironment(), HOME: home };
}

function serverArguments(options: TemporalOptions): readonly string[] {
  const ui =
    options.ui === null
      ? ['--headless']
      : ['--ui-ip', options.ui.host, '--ui-port', String(options.ui.port)];
  const metrics =
    options.metricsPort === undefined ? [] : ['--metrics-port', String(options.metricsPort)];
  const pragmas = ['journal_mode=WAL', `synchronous=${options.synchronous}`];
  const attributes = Object.entries(SEARCH_ATTRIBUTES).map(([name, kind]) => `${name}=${kind}`);
  return [
    ...['server', 'start-dev', '--ip', LOCAL_HOST, '--port', String(options.port)],
    ...ui,
    ...metrics,
    ...['--db-filename', join(options.home, 'temporal.db'), '--log-level', 'warn'],
    ...pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
    ...attributes.flatMap((attribute) => ['--search-attribute', attribute]),
  ];
}

/** Keeps closed histories for 30 days; answers whether the server serves the namespace. */
async function setRetention(options: TemporalOptions): Promise<boolean> {
  const address = `${LOCAL_HOST}:${options.port}`;
  const update = ['operator', 'namespace', 'update', '--namespace', NAMESPACE];
  try {
    const args = [...update, '--retention', RETENTION, '--address', address];
    await runFile(options.program, args, { env: environmentOf(options) });
    return true;
  } catch {
    return false; // not up yet
  }
}
