/**
 * The API process: builds its dependencies from the environment, serves HTTP and WebSocket until
 * SIGTERM, lets what is under way end, and releases everything in reverse order.
 */
import type { RequestListener, Server } from 'node:http';
import { ConfigError, loadApiConfig, type ApiConfig as Config } from '../config/config.js';
import { requireNode } from '../config/node-version.js';
import { createLogger, type Logger } from '../telemetry/logger.js';
import { endFailed } from '../telemetry/process-end.js';
import { startTracing } from '../telemetry/start-tracing.js';
import { startWatchdog } from '../telemetry/watchdog.js';
import { createApp } from './http/app.js';
import { requireEncryptionKeys } from './encryption-keys.js';
import { createHttpServer } from './http/server.js';
import { securityHeadersOf } from './http/middleware/headers.js';
import { serveMetrics } from './http/metrics-page.js';
import { composeApi, type ComposedApi } from './composition-root.js';
import { createSocketServer } from './socket/server.js';
import { createTemporalUiServer } from './temporal-ui/server.js';

requireNode();

/** Clients that are still sending, or do not read, are waited for no longer than this. */
const DRAIN_MS = 6_000;

const logger = createLogger('api');
try {
  const config = loadApiConfig();
  await run(config, createLogger('api', { level: config.logLevel }));
} catch (error) {
  if (error instanceof ConfigError) {
    logger.error(error.message);
  } else {
    logger.error('api failed', { error });
  }
  endFailed();
}

async function run(config: Config, log: Logger): Promise<void> {
  const stopAsked = nextStopSignal();
  const tracing = await startTracing({ ...config.traces, process: 'api', logger: log });
  try {
    const composed = await composeApi(config, log, tracing);
    const serving = async (): Promise<void> => {
      await requireEncryptionKeys({ ...composed.app, ...config, logger: log });
      await serve(config, { parts: composed, logger: log, stopAsked });
    };
    await serving().finally(() => composed.close());
    log.info('api stopped');
  } finally {
    await tracing.close(); // last: a receiver that hangs keeps nothing from being released
  }
}

interface Service {
  readonly parts: ComposedApi;
  readonly logger: Logger;
  readonly stopAsked: Promise<NodeJS.Signals>;
}

/** Listens until a signal stops it, and lets requests under way end. */
async function serve(
  config: Config,
  { parts: composed, logger: log, stopAsked }: Service,
): Promise<void> {
  const handle = createApp(composed.app).callback();
  const api: RequestListener = (request, response) => void handle(request, response);
  const server = createHttpServer(api, securityHeadersOf(config));
  const sockets = createSocketServer(composed.sockets);
  server.on('upgrade', sockets.handleUpgrade);
  const temporalUi = await listenForTemporalUi(config, { parts: composed, logger: log, api });
  const port = await listen(server, config);
  const metrics = await openMetrics(config, composed.app);
  const watchdog = startWatchdog({
    name: 'api',
    logLevel: config.logLevel,
    limits: config.watchdog,
    loops: ['main'],
    registry: composed.app.metrics.registry,
    logger: log,
  });
  log.info('api ready', { host: config.host, port, metricsPort: metrics?.port });
  const signal = await stopAsked;
  log.info('api stopping', { signal });
  composed.stopWaiting(); // blocking calls answer with what is known; their runs go on
  await Promise.all([sockets.close(), ...[server, ...temporalUi].map(closeServer)]);
  await metrics?.close();
  await watchdog.close();
}

/** @returns its server, where it is to be shown */
async function listenForTemporalUi(
  { temporalUi, temporalUiOrigins: origins, host }: Config,
  how: { readonly parts: ComposedApi; readonly logger: Logger; readonly api: RequestListener },
): Promise<readonly Server[]> {
  if (temporalUi === null) {
    return [];
  }
  const { upstream, port } = temporalUi;
  const { db, tokens } = how.parts.app;
  const server = createTemporalUiServer({ ...how, ...{ db, tokens, upstream, origins } });
  await listen(server, { host, port });
  return [server];
}

/** @returns null where it is not asked for */
async function openMetrics(
  { host, metricsPort, workerMetricsUrl }: Config,
  { metrics, logger }: ComposedApi['app'],
) {
  return metricsPort === null
    ? null
    : serveMetrics({ metrics, workerMetricsUrl, logger }, { host, port: metricsPort });
}

async function closeServer(server: Server): Promise<void> {
  const impatience = setTimeout(() => {
    server.closeAllConnections();
  }, DRAIN_MS);
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  clearTimeout(impatience);
}

function nextStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

async function listen(
  server: Server,
  { host, port }: Pick<Config, 'host' | 'port'>,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
