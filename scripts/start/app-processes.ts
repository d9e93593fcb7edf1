/** Our own processes, as `npm start` runs them. */
import { join } from 'node:path';
import { acceptsConnections } from '../embedded/ports.js';
import { endLeftover, startServer, type ServerProcess } from '../embedded/process.js';
import { STOPPING } from '../embedded/stopping.js';
import { ROOT, type StartSettings } from './settings.js';

export type App = 'collector' | 'worker' | 'api';
/** They stop the other way round. */
export const APPS: readonly App[] = ['collector', 'worker', 'api'];

const READY_TIMEOUT_MS = 60_000;

export async function startApp(
  app: App,
  settings: StartSettings,
  env: NodeJS.ProcessEnv,
): Promise<ServerProcess> {
  const { home } = settings;
  return startServer({
    name: app,
    command: process.execPath,
    args: ['--enable-source-maps', join(ROOT, 'dist', app, 'main.js')],
    cwd: ROOT,
    env,
    pidFile: pidFileOf(app, home),
    logFile: logFileOf(app, home),
    isReady: () => isReady(app, settings),
    readyTimeoutMs: READY_TIMEOUT_MS,
    ...STOPPING[app],
  });
}

export async function endLeftoverApps(home: string): Promise<void> {
  const ends = APPS.map((app) =>
    endLeftover(pidFileOf(app, home), { ...STOPPING[app], logFile: logFileOf(app, home) }),
  );
  await Promise.all(ends);
}

export function logFileOf(app: App, home: string): string {
  return join(home, 'logs', `${app}.log`);
}

/** Those that are ours to start: a collector with an address of its own is not. */
export function appsOf(settings: StartSettings): readonly App[] {
  return APPS.filter((app) => app !== 'collector' || !settings.DATA_COLLECTOR_URL);
}

/** Where this machine reaches the API, for every address that it listens on. */
export function apiUrl(settings: StartSettings): string {
  return urlOf(settings.HOST, settings.PORT);
}

/** Where this machine reaches the Temporal Web UI that is started here, behind the API. */
export function temporalUiUrl(settings: StartSettings): string {
  return urlOf(settings.HOST, settings.TEMPORAL_UI_PORT);
}

/** Where this machine reaches the data collector; null: it is not ours. */
export function collectorUrl(settings: StartSettings): string | null {
  return settings.DATA_COLLECTOR_URL
    ? null
    : urlOf(settings.COLLECTOR_HOST, settings.COLLECTOR_PORT);
}

function urlOf(host: string, port: number): string {
  const isAnywhere = ['0.0.0.0', '::'].includes(host);
  const reached = isAnywhere ? '127.0.0.1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

function pidFileOf(app: App, home: string): string {
  return join(home, `${app}.pid`);
}

async function isReady(app: App, settings: StartSettings): Promise<boolean> {
  switch (app) {
    case 'collector':
      return answersOk(`${collectorUrl(settings) ?? ''}/readyz`);
    case 'worker':
      return acceptsConnections(settings.WORKER_METRICS_PORT);
    case 'api':
      return answersOk(`${apiUrl(settings)}/readyz`);
  }
}

export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
