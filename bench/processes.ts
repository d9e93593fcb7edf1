/** The processes that are measured: the built product's two, and a worker of bare Temporal. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { acceptsConnections, findFreePort } from '../scripts/embedded/ports.js';
import { sendSignal, startServer, type ServerProcess } from '../scripts/embedded/process.js';
import { answersOk } from '../scripts/start/app-processes.js';
import type { Place } from './place.js';

type Env = Readonly<Record<string, string>>;

/** A process with pages. */
export interface Api extends ServerProcess {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}
export type Worker = Api;

const ROOT = resolve(import.meta.dirname, '..');
const HOOKS = join(ROOT, 'tests/support/typescript-hooks.mjs');
const BARE_READY = 'bare worker ready';
const STOP_TIMEOUT_MS = 15_000;

export async function startApi(place: Place): Promise<Api> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await start(place, {
    name: 'api',
    args: entryOf(place, 'api'),
    env: { ...place.env, PORT: String(port) },
    isReady: () => answersOk(`${url}/readyz`),
  });
  return { ...server, url };
}

/** @param name of its log; one that no other process of the place has */
export async function startWorker(place: Place, env: Env = {}, name = 'worker'): Promise<Worker> {
  const port = await findFreePort();
  const server = await start(place, {
    name,
    args: entryOf(place, 'worker'),
    env: { ...place.env, ...env, WORKER_METRICS_PORT: String(port) },
    isReady: () => acceptsConnections(port),
  });
  return { ...server, url: `http://127.0.0.1:${port}` };
}

export async function startCollector(place: Place, port: number): Promise<Api> {
  const url = `http://127.0.0.1:${port}`;
  const server = await start(place, {
    name: 'collector',
    args: entryOf(place, 'collector'),
    env: { ...place.env, COLLECTOR_PORT: String(port) },
    isReady: () => answersOk(`${url}/readyz`),
  });
  return { ...server, url };
}

function entryOf({ build }: Place, app: string): readonly string[] {
  return ['--enable-source-maps', join(build.dist, app, 'main.js')];
}

/** @param taskQueue its own, beside the product's */
export async function startBareWorker(place: Place, taskQueue: string): Promise<ServerProcess> {
  const logFile = logFileOf(place, 'bare');
  return start(place, {
    name: 'bare',
    args: ['--import', HOOKS, join(ROOT, 'bench/bare/worker.ts')],
    env: { ...place.env, TEMPORAL_TASK_QUEUE: taskQueue },
    isReady: () => Promise.resolve(readFileSync(logFile, 'utf8').includes(BARE_READY)),
  });
}

/** Routes of bare Koa that answer what the API's do. */
export async function startBareKoa(place: Place): Promise<Api> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await start(place, {
    name: 'koa',
    args: ['--import', HOOKS, join(ROOT, 'bench/http/koa.ts')],
    env: { ...place.env, PORT: String(port) },
    isReady: () => answersOk(`${url}/readyz`),
  });
  return { ...server, url };
}

/** What a bare worker says when it works. */
export function sayBareReady(): void {
  process.stdout.write(`${BARE_READY}\n`);
}

interface Spec {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Env;
  readonly isReady: () => Promise<boolean>;
}

/** They end with this process, however it ends. */
async function start(place: Place, { name, args, env, isReady }: Spec): Promise<ServerProcess> {
  const server = await startServer({
    name,
    command: process.execPath,
    args,
    cwd: place.home, // a `.env` in the checkout is somebody's own
    env,
    pidFile: join(place.home, `${name}.pid`),
    logFile: logFileOf(place, name),
    isReady,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  const kill = (): void => {
    sendSignal(-server.pid, 'SIGKILL');
  };
  process.once('exit', kill);
  return {
    ...server,
    async stop() {
      process.off('exit', kill);
      await server.stop();
    },
  };
}

function logFileOf({ home }: Place, name: string): string {
  return join(home, 'logs', `${name}.log`);
}
