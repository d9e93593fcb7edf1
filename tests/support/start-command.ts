/** `npm start` in a state directory of its own, on free ports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { endLeftoverServers, forgetState } from '../../scripts/embedded/embedded.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { postgresAddress } from '../../scripts/embedded/postgres.js';
import { readRunning, sendSignal, startTimeOf } from '../../scripts/embedded/process.js';
import { loadSecrets } from '../../scripts/embedded/secrets.js';
import { endLeftoverApps } from '../../scripts/start/app-processes.js';
import { until } from './until.js';

const START = resolve('dist/scripts/start.js');
/** In the order in which they are started. */
export const PARTS = ['postgres', 'redis', 'temporal', 'collector', 'worker', 'api'] as const;
export type Part = (typeof PARTS)[number];
const PORTS = [
  'PORT',
  'WORKER_METRICS_PORT',
  'COLLECTOR_PORT',
  'POSTGRES_PORT',
  'REDIS_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
] as const;

export interface Start {
  readonly child: ChildProcess;
  output(): string;
  readonly exit: Promise<number | null>;
}

export interface StartHome {
  readonly home: string;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly collectorUrl: string;
  databaseUrl(): string;
  start(more?: Readonly<Record<string, string>>): Start;
  /** Starts, and waits until everything is ready. */
  startAndWait(): Promise<Start>;
  /** 0 if the part does not run. */
  pidOf(part: Part): number;
  /** SIGKILL of the start and of every process that it has started, at once. */
  killEverything(start: Start): Promise<void>;
  /** Ends what still runs and removes the directory. */
  forget(): Promise<void>;
}

export async function createStartHome(
  settings: Readonly<Record<string, string>> = {},
): Promise<StartHome> {
  const home = mkdtempSync(join(tmpdir(), 'agentforge-start-'));
  chmodSync(home, 0o711);
  const tools = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
  symlinkSync(tools, join(home, 'tools'));
  const env = { ...(await environmentOf(home)), ...settings };
  const port = (name: (typeof PORTS)[number]) => Number(env[name]);
  const starts: Start[] = [];
  const start: StartHome['start'] = (more = {}) => {
    const started = run({ ...env, ...more });
    starts.push(started);
    return started;
  };
  const pidOf = (part: Part) => readRunning(join(home, `${part}.pid`))?.pid ?? 0;
  return {
    home,
    url: `http://127.0.0.1:${port('PORT')}`,
    collectorUrl: `http://127.0.0.1:${port('COLLECTOR_PORT')}`,
    databaseUrl: () =>
      postgresAddress({
        port: port('POSTGRES_PORT'),
        password: loadSecrets(home).postgresPassword,
      }),
    start,
    async startAndWait() {
      const started = start();
      const isSettled = () =>
        started.output().includes('Try this') || started.child.exitCode !== null;
      await until('the start is ready', isSettled, 90_000);
      if (started.child.exitCode !== null) {
        throw new Error(`the start ended:\n${started.output()}`);
      }
      return started;
    },
    pidOf,
    async killEverything({ child, exit }) {
      const pids = PARTS.map(pidOf);
      child.kill('SIGKILL'); // first, or it would start the others again
      pids
        .filter((pid) => pid > 0)
        .forEach((pid) => {
          sendSignal(-pid, 'SIGKILL');
        });
      await exit;
      await until('all have ended', () => pids.every((pid) => startTimeOf(pid) === null));
    },
    async forget() {
      starts.forEach(({ child }) => child.kill('SIGKILL')); // they would start the parts again
      await Promise.all(starts.map(({ exit }) => exit));
      await endLeftoverApps(home);
      await endLeftoverServers(home);
      forgetState(home);
    },
  };
}

async function environmentOf(home: string): Promise<Record<string, string>> {
  const ports = new Map<string, string>();
  for (const name of PORTS) {
    ports.set(name, String(await findFreePort()));
  }
  // Set, though empty, so that the checkout's own .env does not count.
  const embedded = {
    DATABASE_URL: '',
    REDIS_URL: '',
    TEMPORAL_ADDRESS: '',
    DATA_COLLECTOR_URL: '',
  };
  const PATH = process.env['PATH'] ?? '';
  const settings = { AGENTFORGE_HOME: home, AUTH_RATE_LIMIT: '100' };
  return { PATH, ...Object.fromEntries(ports), ...settings, ...embedded };
}

function run(env: Readonly<Record<string, string>>): Start {
  const child = spawn(process.execPath, [START], { env });
  let output = '';
  child.stdout.on('data', (text) => (output += String(text)));
  child.stderr.on('data', (text) => (output += String(text)));
  const exit = new Promise<number | null>((done) => child.once('exit', done));
  return { child, output: () => output, exit };
}
