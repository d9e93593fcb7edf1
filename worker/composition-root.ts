/** What a worker is made of, wired once; `close` releases it in reverse order. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Registry } from 'prom-client';
import { createActivities, type Activities } from '../activities/index.js';
import type { WorkerConfig as Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import { readServerKeyDay } from '../db/billing/server-key-days.js';
import { countOpenRuns } from '../db/runs/runs.js';
import { createSecretCipher } from '../db/users/secret-cipher.js';
import type { Bus } from '../events/bus.js';
import type { Macs } from '../events/macs.js';
import { connectRedis } from '../events/redis.js';
import { countCircuits } from '../llm/routing/guard.js';
import type { ModelCatalog } from '../llm/routing/models-file.js';
import {
  countAwakeDiscussions,
  notifyRunEnded,
  type Discussions,
} from '../temporal/client/discussions.js';
import { notifySlotGranted, reportFailedAttempt } from '../temporal/client/runs.js';
import { withTimeout, type Temporal } from '../temporal/client/timeouts.js';
import { connectTemporal, type TemporalClient } from '../temporal/connection.js';
import { ensureRetentionSchedule } from '../temporal/retention-schedule.js';
import { registerSearchAttributes } from '../temporal/search-attributes.js';
import type { Logger } from '../telemetry/logger.js';
import { watchLive } from '../telemetry/live-metrics.js';
import { createRegistry } from '../telemetry/metrics.js';
import type { Tracing } from '../telemetry/tracing.js';
import { createWorkerMetrics, type WorkerMetrics } from '../telemetry/worker-metrics.js';
import { ActivityLoad } from './archiving/activity-load.js';
import { archivingOf } from './archiving/archiving.js';
import { readCodeVersion } from './bundle.js';
import type { ReportFailedAttempt } from './interceptors/billing.js';
import { composeModels, readModelCatalog } from './models.js';
import type { Reconciler } from './reconciler.js';
import { findForeignTemporal } from './temporal-home.js';
import { createTemporalReconciler, readRole } from './temporal-reconciler.js';
import {
  endpointChecksOf,
  keyStoreOf,
  limitsOf,
  openBus,
  openDb,
  payersOf,
  publishers,
  settingsOf,
  userTracesOf,
} from './dependencies.js';

export interface ComposedWorker {
  readonly db: Db;
  readonly activities: Activities;
  readonly registry: Registry;
  readonly metrics: WorkerMetrics;
  readonly load: ActivityLoad;
  readonly reconciler: Reconciler;
  readonly reportFailedAttempt: ReportFailedAttempt;
  /** @returns what is wrong where the database belongs to another Temporal. @throws while either is away */
  findForeignTemporal(): Promise<string | null>;
  /** Makes our search attributes and the nightly retention known. @throws while the cluster does not answer */
  registerWithTemporal(): Promise<void>;
  close(): Promise<void>;
}

export interface CompositionOptions {
  readonly logger: Logger;
  readonly tracing: Tracing;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
}

export async function composeWorker(
  config: Config,
  options: CompositionOptions,
): Promise<ComposedWorker> {
  const catalog = readModelCatalog(config.models); // before anything is opened that would have to be closed
  const connections = await connect(config, options);
  try {
    return await assemble(config, { ...options, catalog }, connections);
  } catch (error) {
    await release(connections);
    throw error;
  }
}

async function connect(
  config: Config,
  { logger, tracing }: CompositionOptions,
): Promise<Connections> {
  // first, because it reads files, which may be missing, and opens nothing
  const temporal = await connectTemporal(config.temporal, config.encryptionKeys, tracing);
  return {
    temporal,
    redis: connectRedis({ url: config.redisUrl, name: 'agentforge-worker', logger }),
    ...openBus(config, logger),
    db: openDb(config, logger),
  };
}

async function assemble(
  config: Config,
  { logger, tracing, stopping, catalog }: CompositionOptions & { readonly catalog: ModelCatalog },
  { temporal, redis, bus, macs, db }: Connections,
): Promise<ComposedWorker> {
  const secretCipher = createSecretCipher(config.encryptionKeys);
  const registry = createRegistry();
  const metrics = createWorkerMetrics(registry);
  const load = new ActivityLoad();
  const shared = { db, redis, secretCipher, registry, catalog, logger, stopping };
  const traced = { tracing, captureContent: config.traces.captureContent };
  const { keyChanged } = keyStoreOf({ db, secretCipher, bus });
  const modelParts = composeModels({ ...shared, traced, keyChanged, config: config.models });
  const stopHearing = await bus.onKeyChanged(modelParts.keyCache.invalidate);
  const { taskQueue } = config.temporal;
  const workflows: Discussions = { client: temporal.client, taskQueue, limits: limitsOf(config) };
  const code = await readCodeVersion();
  const archiving = archivingOf({
    ...{ temporal: workflows, db, config, code, logger },
    quietForMs: () => load.quietForMs(),
  });
  const activities = createActivities({
    ...archiving.activityDeps,
    ...modelParts,
    ...publishers({ ...shared, bus, macs }),
    ...keyStoreOf({ db, secretCipher, bus }),
    ...payersOf({ db, config, secretCipher }),
    ...endpointChecksOf({ db, config, secretCipher }),
    ...userTracesOf({ temporal: workflows, bus, redis }),
    db,
    logger,
    ...settingsOf(config),
    now: () => new Date(),
    newId: randomUUID,
    providers: Object.values(modelParts.providers),
    ...countersFor(metrics),
    tellSlotGranted: (pipelineId) => notifySlotGranted(workflows, pipelineId),
    tellDiscussion: async (run) =>
      notifyRunEnded(workflows, { ...run, role: await readRole(db, run.userId) }),
  });
  watchLive(registry, {
    ...countersOf(db, workflows),
    countCircuits: () => countCircuits({ redis }),
  });
  const { closeRun } = activities;
  const { sweepArchives } = archiving;
  const reconciling = { db, temporal: workflows, closeRun, sweepArchives, logger };
  const reconciler = createTemporalReconciler(reconciling);
  return {
    db,
    activities,
    registry,
    metrics,
    load,
    reconciler,
    reportFailedAttempt: reporting(workflows, logger),
    findForeignTemporal: () => findForeignTemporal(db, temporal, config.temporal.namespace),
    registerWithTemporal: () => register(temporal, workflows, logger),
    async close() {
      await reconciler.stop();
      await archiving.close();
      stopHearing();
      await release({ temporal, redis, bus, db });
    },
  };
}

/** What activities count, under the names that they know. */
function countersFor(metrics: WorkerMetrics) {
  return {
    countFallback: metrics.rulesAnswered,
    countMistake: metrics.mistake,
    countRun: metrics.runEnded,
    countRemoved: metrics.outlived,
  };
}

interface Connections {
  readonly temporal: TemporalClient;
  readonly redis: Redis;
  readonly bus: Bus;
  readonly macs: Macs;
  readonly db: Db;
}

async function release({ temporal, redis, bus, db }: Omit<Connections, 'macs'>): Promise<void> {
  await temporal.close();
  redis.disconnect();
  await bus.close();
  await db.destroy();
}

function countersOf(db: Db, temporal: Temporal) {
  return {
    countRuns: () => countOpenRuns(db),
    countDiscussions: () => countAwakeDiscussions(temporal),
    readServerKeyDay: () => readServerKeyDay(db),
  };
}

function reporting(temporal: Temporal, logger: Logger): ReportFailedAttempt {
  return (workflow, failed) => {
    reportFailedAttempt(temporal, workflow, failed).catch((error: unknown) => {
      logger.debug('a failed attempt was not reported', { ...workflow, error });
    });
  };
}

async function register(
  { client, connection }: TemporalClient,
  temporal: Temporal,
  logger: Logger,
): Promise<void> {
  await withTimeout(temporal, () => connection.workflowService.getSystemInfo({}));
  await registerSearchAttributes(connection, client.options.namespace).catch((error: unknown) => {
    logger.warn('search attributes not registered; register them by hand', { error });
  });
  await withTimeout(temporal, () =>
    ensureRetentionSchedule(client.schedule, temporal.taskQueue),
  ).catch((error: unknown) => {
    logger.warn('no retention schedule; start retentionWorkflow each night by hand', { error });
  });
}
