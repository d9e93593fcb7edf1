/** One worker: the workflow bundle and the activities on one task queue. */
import type { WorkerDeploymentVersion } from '@temporalio/common';
import {
  NativeConnection,
  Worker,
  type WorkerDeploymentOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import {
  connectionOptions,
  createDataConverter,
  type TemporalOptions,
} from '../temporal/connection.js';
import { workerIdentityOf } from '../temporal/code-version.js';
import type { ActivityMetrics } from '../telemetry/worker-metrics.js';
import type { Logger } from '../telemetry/logger.js';
import type { Tracing } from '../telemetry/tracing.js';
import type { ActivityLoad } from './archiving/activity-load.js';
import { readCodeVersion } from './bundle.js';
import { withoutCallStacks } from './call-stacks.js';
import { createActivityInterceptor, type ReportFailedAttempt } from './interceptors/billing.js';
import { decisionSinks } from './interceptors/decision-sinks.js';
import { createRejectingInterceptor, rejectionSinks } from './interceptors/rejections.js';
import { createTraceInterceptor } from './interceptors/trace.js';
import { board } from '../telemetry/work-scope.js';
import { traceSinks } from './interceptors/trace-sinks.js';
import { watchWorkflows } from './workflow-watch.js';

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly temporal: {
    readonly namespace: string;
    readonly taskQueue: string;
    readonly workerVersion: WorkerDeploymentVersion | null;
  };
  /** Encryption keys of payloads, newest first. */
  readonly encryptionKeys: readonly Buffer[];
  readonly activities: Activities;
  readonly metrics: ActivityMetrics;
  readonly load: ActivityLoad;
  readonly reportFailedAttempt: ReportFailedAttempt;
  readonly logger: Logger;
  readonly tracing: Tracing;
  readonly maxCachedWorkflows: number;
  readonly maxActivities: number;
  /** Whether the Web UI may ask where a workflow waits in its code. */
  readonly callStacks: boolean;
  /** Path of the pre-built workflow bundle (`npm run build` makes it). */
  readonly bundlePath: string;
}

/** How long a drained worker waits for its activities; longer calls are cut and made elsewhere. */
const SHUTDOWN_GRACE = '6s';
/** Then it settles the money of what it has cut; `npm start` gives it 9 s in all. */
const SHUTDOWN_FORCE = '8s';

/** How a worker takes its work and gives it back. */
export const WORKER_SETTINGS = {
  maxHeartbeatThrottleInterval: '1s',
  defaultHeartbeatThrottleInterval: '1s',
  stickyQueueScheduleToStartTimeout: '3s',
  shutdownGraceTime: SHUTDOWN_GRACE,
  shutdownForceTime: SHUTDOWN_FORCE,
} as const;

/** @throws while the cluster does not answer */
export async function connectWorker(options: TemporalOptions): Promise<NativeConnection> {
  return NativeConnection.connect(await connectionOptions(options));
}

export async function createWorker(deps: WorkerDeps): Promise<Worker> {
  const code = await readCodeVersion(deps.bundlePath);
  const options: WorkerOptions = {
    ...WORKER_SETTINGS,
    identity: workerIdentityOf(code),
    connection: deps.connection,
    namespace: deps.temporal.namespace,
    taskQueue: deps.temporal.taskQueue,
    dataConverter: createDataConverter(deps.encryptionKeys),
    activities: deps.activities,
    workflowBundle: { codePath: deps.bundlePath },
    interceptors: {
      activity: [
        () => ({ inbound: createRejectingInterceptor(deps.metrics.rejected) }),
        () => createTraceInterceptor(deps.logger, deps.tracing),
        () => ({ inbound: createActivityInterceptor(deps) }),
      ],
    },
    sinks: {
      ...traceSinks(deps.tracing),
      ...rejectionSinks(deps.metrics.rejected),
      ...decisionSinks(deps.logger, deps.metrics),
    },
    workflowThreadPoolSize: 1, // as by default; see workflow-watch.ts
    maxCachedWorkflows: deps.maxCachedWorkflows,
    maxConcurrentActivityTaskExecutions: deps.maxActivities,
    ...versioningOf(deps.temporal.workerVersion),
  };
  const create = () => Worker.create(options);
  const worker = deps.callStacks ? await create() : await withoutCallStacks(create);
  if (!watchWorkflows(worker, board)) {
    deps.logger.error('workflows cannot be watched with this release of the SDK');
  }
  return worker;
}

/**
 * With a version, workflows move on to the current one: `patched()` keeps that safe. Runs of
 * pipelines do not (workflows/pipeline/pipeline.ts): they end where they have begun.
 */
function versioningOf(version: WorkerDeploymentVersion | null): {
  workerDeploymentOptions?: WorkerDeploymentOptions;
} {
  return version === null
    ? {}
    : {
        workerDeploymentOptions: {
          version,
          useWorkerVersioning: true,
          defaultVersioningBehavior: 'AUTO_UPGRADE',
        },
      };
}
