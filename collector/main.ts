/**
 * The data collector's process: reads public pages for agents, until SIGTERM; lets what is under
 * way end, for a while. Source: contract, pipeline §3.3.
 */
import { createServer, type Server } from 'node:http';
import { loadCollectorConfig, type CollectorConfig } from '../config/collector-config.js';
import { ConfigError } from '../config/environment.js';
import { requireNode } from '../config/node-version.js';
import { HTTP_LIMITS, limitConnections, serverOptionsOf } from '../telemetry/http-limits.js';
import { createLogger, type Logger } from '../telemetry/logger.js';
import { endFailed } from '../telemetry/process-end.js';
import { startWatchdog } from '../telemetry/watchdog.js';
import { createApp } from './app.js';
import { openToAnyoneText } from './open-to-anyone.js';
import { composeCollector } from './composition-root.js';

requireNode();

/** After it crawls under way are given up; their clients get an error, and may ask again. */
const DRAIN_MS = 10_000;

const logger = createLogger('collector');
try {
  const config = loadCollectorConfig();
  await run(config, createLogger('collector', { level: config.logLevel }));
} catch (error) {
  if (error instanceof ConfigError) {
    logger.error(error.message);
  } else {
    logger.error('collector failed', { error });
  }
  endFailed();
}

async function run(config: CollectorConfig, log: Logger): Promise<void> {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', asked.resolve).once('SIGINT', asked.resolve);
  const stopping = new AbortController();
  const composed = composeCollector(config, { logger: log, stopping: stopping.signal });
  const handle = createApp(composed.app).callback();
  const server = createServer(serverOptionsOf(HTTP_LIMITS), (request, response) => {
    void handle(request, response);
  });
  limitConnections(server, HTTP_LIMITS);
  try {
    const port = await listen(server, config);
    const watchdog = startWatchdog({
      name: 'collector',
      logLevel: config.logLevel,
      limits: config.watchdog,
      loops: ['main'],
      registry: composed.app.registry,
      logger: log,
    });
    log.info('collector ready', { host: config.host, port });
    const warning = openToAnyoneText(config);
    if (warning !== null) {
      log.warn(warning);
    }
    log.info('collector stopping', { signal: await asked.promise });
    await drain(server, stopping);
    await watchdog.close();
  } finally {
    composed.close(); // what stays open would keep the process from ending
  }
  log.info('collector stopped');
}

async function listen(
  server: Server,
  { host, port }: Pick<CollectorConfig, 'host' | 'port'>,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      reject(
        isTaken
          ? new ConfigError(`Port ${port} is in use: set COLLECTOR_PORT to a free port.`)
          : cause,
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function drain(server: Server, stopping: AbortController): Promise<void> {
  const impatience = setTimeout(() => {
    stopping.abort();
  }, DRAIN_MS);
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  clearTimeout(impatience);
}
