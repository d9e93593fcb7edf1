/** The life of `npm start`: everything up in order, kept up, and down in reverse order. */
import { join } from 'node:path';
import { connectDb } from '../../db/connect.js';
import { migrate } from '../../db/migrate.js';
import { reopenTemporalHome } from '../../db/temporal-home.js';
import {
  endLeftoverServers,
  startEmbedded,
  type Embedded,
  type Part,
} from '../embedded/embedded.js';
import { killChildren, refuseChildren } from '../embedded/children.js';
import { boundLogs } from '../embedded/logs.js';
import { requireFreePort } from '../embedded/ports.js';
import type { ServerProcess } from '../embedded/process.js';
import { STOP_LIMIT_MS } from '../embedded/stopping.js';
import { findTemporalUiPlace } from '../embedded/temporal.js';
import { environmentFor, environmentOf } from './app-environment.js';
import {
  apiUrl,
  APPS,
  appsOf,
  collectorUrl,
  endLeftoverApps,
  logFileOf,
  startApp,
  temporalUiUrl,
  type App,
} from './app-processes.js';
import { echoErrors } from './echo-errors.js';
import { embeddedPorts } from './embedded-ports.js';
import { keepRunning } from './keep-running.js';
import type { StartSettings } from './settings.js';
import { describeAddresses } from './welcome.js';

export interface Supervisor {
  /** Starts everything and watches it; returns when all is ready. @throws Error with the cure */
  start(): Promise<void>;
  /** Stops all that runs, in reverse order. */
  stop(): Promise<void>;
}

export function createSupervisor(settings: StartSettings, say: (line: string) => void): Supervisor {
  const ending = new AbortController();
  const apps = new Map<App, ServerProcess>();
  const watches: Promise<void>[] = [];
  const logWatches: (() => void)[] = [];
  let embedded: Embedded | null = null;

  const watch = (server: ServerProcess, start: () => Promise<ServerProcess>): void => {
    watches.push(keepRunning(server, { start, say, signal: ending.signal }));
  };
  const startWatchedApp = async (app: App, env: NodeJS.ProcessEnv): Promise<void> => {
    const start = async (): Promise<ServerProcess> => {
      const server = await startApp(app, settings, env);
      apps.set(app, server);
      return server;
    };
    watch(await start(), start);
    logWatches.push(echoErrors(app, logFileOf(app, settings.home), say));
  };
  const watchPart = ([part, server]: [Part, ServerProcess], servers: Embedded): void => {
    watch(server, () => servers.restart(part));
  };

  return {
    async start() {
      await clearGround(settings);
      say('Starting PostgreSQL, Redis and Temporal …');
      const servers = await startEmbedded(await embeddedOptions(settings, say));
      embedded = servers;
      [...servers.servers].forEach((entry) => {
        watchPart(entry, servers);
      });
      logWatches.push(boundLogs(servers.logFiles));
      const env = environmentOf(settings, servers);
      say('Updating the database …');
      await updateDatabase(env['DATABASE_URL'] ?? '', settings);
      const ours = appsOf(settings);
      say(`Starting ${ours.join(', ')} …`);
      await Promise.all(ours.map((app) => startWatchedApp(app, environmentFor(app, env))));
      (await welcome(settings, servers)).forEach(say);
    },
    async stop() {
      ending.abort();
      refuseChildren();
      const limit = setTimeout(killChildren, STOP_LIMIT_MS);
      try {
        logWatches.forEach((end) => {
          end();
        });
        for (const app of APPS.toReversed()) {
          await apps.get(app)?.stop();
        }
        await endLeftoverApps(settings.home); // those that were just being started
        await embedded?.stop();
        await endLeftoverServers(settings.home);
      } finally {
        clearTimeout(limit);
        killChildren(); // those whose pid files are not written yet, or gone
      }
      await Promise.all(watches);
    },
  };
}

async function welcome(settings: StartSettings, embedded: Embedded): Promise<readonly string[]> {
  return describeAddresses({
    api: apiUrl(settings),
    collector: collectorUrl(settings),
    temporalUi: embedded.temporalUiUrl === null ? null : temporalUiUrl(settings),
    logs: join(settings.home, 'logs'),
  });
}

/** What a killed start has left is ended first, so that its ports are free again. */
async function clearGround(settings: StartSettings): Promise<void> {
  await endLeftoverApps(settings.home);
  await endLeftoverServers(settings.home);
  await requireFreePort('PORT', settings.PORT, settings.HOST);
  await requireFreePort('WORKER_METRICS_PORT', settings.WORKER_METRICS_PORT);
  if (!settings.TEMPORAL_ADDRESS) {
    await requireFreePort('TEMPORAL_UI_PORT', settings.TEMPORAL_UI_PORT, settings.HOST);
  }
  if (appsOf(settings).includes('collector')) {
    await requireFreePort('COLLECTOR_PORT', settings.COLLECTOR_PORT, settings.COLLECTOR_HOST);
  }
}

async function embeddedOptions(settings: StartSettings, say: (line: string) => void) {
  const { home } = settings;
  return {
    home,
    ports: embeddedPorts(settings),
    temporalUi: await findTemporalUiPlace(),
    durability: { postgres: true, temporal: settings.TEMPORAL_SQLITE_SYNCHRONOUS },
    say,
  };
}

async function updateDatabase(url: string, settings: StartSettings): Promise<void> {
  const db = connectDb({
    url,
    poolSize: 1,
    applicationName: 'agentforge-start',
    statementTimeoutMs: 0,
  });
  try {
    await migrate(db);
    if (!settings.TEMPORAL_ADDRESS) {
      await reopenTemporalHome(db);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new Error(`The database cannot be updated: check DATABASE_URL (${why}).`, { cause });
  } finally {
    await db.destroy();
  }
}
