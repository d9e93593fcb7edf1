/** The reconciler with the real Temporal behind it. */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import type { DiscussionDoor } from '../activities/discussion-door.js';
import { createPipelineDoor } from '../activities/pipeline-door.js';
import type { Activities } from '../activities/index.js';
import type { Db } from '../db/connect.js';
import type { UnendedRun } from '../db/pipelines.js';
import { findUser } from '../db/users.js';
import { pipelineWorkflowId, type PipelineId, type UserId } from '../domain/ids.js';
import type { Role } from '../domain/permissions.js';
import { listRunningRuns } from '../temporal/client/runs.js';
import { readLiveness } from '../temporal/run-liveness.js';
import { pipelineStart } from '../temporal/client/start-options.js';
import { startUserDeletion } from '../temporal/client/users.js';
import type { Logger } from '../telemetry/logger.js';
import { createReconciler, type Reconciler, type ReconcilerDeps } from './reconciler.js';

export interface TemporalReconcilerDeps {
  readonly db: Db;
  readonly client: Client;
  readonly taskQueue: string;
  readonly door: DiscussionDoor;
  readonly closeRun: Activities['closeRun'];
  sweepArchives(now: Date): Promise<void>;
  readonly reportEnd: ReconcilerDeps['reportEnd'];
  readonly logger: Logger;
  readonly timeoutMs?: number;
}

/** A run that a crash left unstarted waits this much longer at most. */
const INTERVAL_MS = 5_000;
/** How long one question may take: a silent connection must not hold up the loop. */
const TIMEOUT_MS = 5_000;

export function createTemporalReconciler(deps: TemporalReconcilerDeps): Reconciler {
  const { db, client, logger, timeoutMs = TIMEOUT_MS } = deps;
  const pipelineDoor = createPipelineDoor(client, timeoutMs);
  const inTime = <T>(ask: () => Promise<T>) => client.withDeadline(Date.now() + timeoutMs, ask);
  return createReconciler({
    db,
    logger,
    intervalMs: INTERVAL_MS,
    temporal: {
      startPipeline: (run) => inTime(() => startPipeline(deps, run)),
      async signalRunAdmitted({ id, userId, conversationId }) {
        if (conversationId !== null) {
          const role = await readRole(db, userId);
          await deps.door.tellRunAdmitted({ conversationId, userId, role, pipelineId: id });
        }
      },
      signalSlotGranted: (pipelineId) => pipelineDoor.tellSlotGranted(pipelineId),
      cancelRun: (pipelineId) => inTime(() => cancelRun(client, pipelineId)),
      startUserDeletion: (userId) => inTime(() => startUserDeletion(deps, userId)),
      listRunning: () => inTime(() => listRunningRuns(client, deps.taskQueue)),
      describe: (pipelineId) => inTime(() => readLiveness(client, pipelineId)),
    },
    sweepArchives: deps.sweepArchives,
    reportEnd: deps.reportEnd,
    async closeRun(pipelineId, reason) {
      logger.warn('closing a run', { pipelineId, reason });
      await deps.closeRun({ pipelineId, outcome: { kind: 'internal' } });
    },
  });
}

/** As it is now; a user who is gone counts as free. */
export async function readRole(db: Db, userId: UserId): Promise<Role> {
  const user = await findUser(db, userId);
  return user?.role ?? 'free';
}

async function startPipeline(deps: TemporalReconcilerDeps, run: UnendedRun): Promise<void> {
  const { id: pipelineId, userId, designName } = run;
  const role = await readRole(deps.db, userId);
  try {
    await deps.client.workflow.start('pipelineWorkflow', {
      ...pipelineStart({ pipelineId, designName }, { userId, role }, deps.taskQueue),
      args: [{ pipelineId, userId, conversationId: null }],
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
  }
}

async function cancelRun(client: Client, pipelineId: PipelineId): Promise<void> {
  try {
    await client.workflow.getHandle(pipelineWorkflowId(pipelineId)).cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) {
      throw error;
    }
  }
}
