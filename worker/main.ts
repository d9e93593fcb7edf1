/**
 * The worker process: builds its dependencies from the environment, works until SIGTERM, drains,
 * and releases everything in reverse order.
 */
import {
  DefaultLogger,
  Runtime,
  type NativeConnection,
  type TelemetryOptions,
  type Worker,
} from '@temporalio/worker';
import { findLackingKeys } from '../audit/encryption-keys.js';
import { ConfigError, loadWorkerConfig, type WorkerConfig as Config } from '../config/config.js';
import { requireNode } from '../config/node-version.js';
import { createLogger, type Logger } from '../telemetry/logger.js';
import { endFailed } from '../telemetry/process-end.js';
import { startTracing } from '../telemetry/start-tracing.js';
import type { Tracing } from '../telemetry/tracing.js';
import { startWatchdog } from '../telemetry/watchdog.js';
import { BUNDLE_PATH } from './bundle.js';
import { composeWorker, type ComposedWorker } from './composition-root.js';
import { tryUntilStopped, type RetryDeps } from './retry.js';
import { serveStatus } from './status-server.js';
import { connectWorker, createWorker } from './worker.js';

requireNode();

const logger = createLogger('worker');
try {
  const config = loadWorkerConfig();
  await run(config, createLogger('worker', { level: config.logLevel }));
} catch (error) {
  if (error instanceof ConfigError) {
    logger.error(error.message);
  } else {
    logger.error('worker failed', { error });
  }
  endFailed();
}

async function run(config: Config, log: Logger): Promise<void> {
  Runtime.install({
    logger: temporalLogger(log),
    shutdownSignals: [],
    telemetryOptions: sdkMetrics(config),
  });
  const stopping = stopSignal();
  const tracing = await startTracing({ ...config.traces, process: 'worker', logger: log });
  try {
    const composed = await composeWorker(config, { logger: log, tracing, stopping });
    await work(config, { parts: composed, logger: log, tracing, stopping }).finally(() =>
      composed.close(),
    );
    log.info('worker stopped');
  } finally {
    await tracing.close(); // last: a receiver that hangs keeps nothing from being released
  }
}

interface Work {
  readonly parts: ComposedWorker;
  readonly logger: Logger;
  readonly tracing: Tracing;
  readonly stopping: AbortSignal;
}

/** Serves the status page and takes tasks, until the process is to stop. */
async function work(
  config: Config,
  { parts: composed, logger: log, tracing, stopping }: Work,
): Promise<void> {
  let worker: Worker | null = null;
  const { registry } = composed;
  const watchdog = startWatchdog({
    name: 'worker',
    logLevel: config.logLevel,
    limits: config.watchdog,
    loops: ['main', 'workflow'],
    registry,
    logger: log,
  });
  const page = await serveStatus(
    { registry, watchdog, isWorking: () => worker?.getState() === 'RUNNING' },
    { host: config.host, port: config.workerMetricsPort },
  );
  const attempt = async (): Promise<NativeConnection> => {
    await composed.registerWithTemporal();
    return connectWorker(config.temporal);
  };
  const onReady = (ready: Worker): void => {
    worker = ready;
    log.info('worker ready', { taskQueue: config.temporal.taskQueue, metricsPort: page.port });
  };
  try {
    await requireEncryptionKeys(config, composed, { logger: log, stopping });
    await requireOwnTemporal(composed, { logger: log, stopping });
    const connection = await tryUntilStopped('temporal', attempt, { logger: log, stopping });
    if (connection !== null) {
      const running = runWorker(connection, {
        ...{ config, parts: composed, logger: log, tracing, stopping },
        onReady,
      });
      await running.finally(() => connection.close());
    }
  } finally {
    await page.close();
    await watchdog.close();
  }
}

/** @throws ConfigError where stored data needs a key that this process lacks */
async function requireEncryptionKeys(
  { encryptionKeys }: Config,
  { db }: ComposedWorker,
  waiting: RetryDeps,
): Promise<void> {
  const ask = () => findLackingKeys(db, encryptionKeys);
  const problem = await tryUntilStopped('postgres', ask, waiting);
  if (problem !== null) {
    throw new ConfigError(problem);
  }
}

/** @throws ConfigError where the database's runs are in another Temporal: all would end as lost */
async function requireOwnTemporal(composed: ComposedWorker, waiting: RetryDeps): Promise<void> {
  const problem = await tryUntilStopped('temporal', () => composed.findForeignTemporal(), waiting);
  if (problem !== null) {
    throw new ConfigError(problem);
  }
}

interface WorkerRun extends Work {
  readonly config: Config;
  onReady(worker: Worker): void;
}

async function runWorker(
  connection: NativeConnection,
  { config, parts: composed, logger, tracing, stopping, onReady }: WorkerRun,
): Promise<void> {
  const worker = await createWorker({
    connection,
    temporal: config.temporal,
    encryptionKeys: config.encryptionKeys,
    activities: composed.activities,
    metrics: composed.metrics,
    load: composed.load,
    reportFailedAttempt: composed.reportFailedAttempt,
    logger,
    tracing,
    maxCachedWorkflows: config.maxCachedWorkflows,
    maxActivities: config.maxActivities,
    callStacks: config.callStacks,
    bundlePath: BUNDLE_PATH,
  });
  composed.reconciler.start();
  onReady(worker);
  await runUntil(stopping, worker);
}

function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      stopping.abort();
    });
  }
  return stopping.signal;
}

/** Drains the worker when it is to stop. */
async function runUntil(stopping: AbortSignal, worker: Worker): Promise<void> {
  const running = worker.run();
  const drain = (): void => {
    if (worker.getState() === 'RUNNING') {
      worker.shutdown();
    }
  };
  stopping.addEventListener('abort', drain);
  if (stopping.aborted) {
    drain();
  }
  await running;
}

/** What the SDK itself measures (slots, polls, replays): a page of its own, where one is asked for. */
function sdkMetrics({ host, sdkMetricsPort }: Config): TelemetryOptions {
  return sdkMetricsPort === null
    ? {}
    : {
        metrics: {
          prometheus: {
            bindAddress: `${host}:${sdkMetricsPort}`,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
          },
        },
      };
}

/** The SDK's own lines, in our form; workflow and activity logs come this way too. */
function temporalLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    const write = level === 'ERROR' ? log.error : level === 'WARN' ? log.warn : log.info;
    write(message, { ...meta });
  });
}
