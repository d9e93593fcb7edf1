/** The reconciler with the real Temporal behind it. */
import type { Activities } from '../activities/index.js';
import type { Db } from '../db/connect.js';
import { findUser } from '../db/users/users.js';
import type { UserId } from '../domain/ids.js';
import type { Role } from '../domain/account/permissions.js';
import { notifyRunAdmitted, type Discussions } from '../temporal/client/discussions.js';
import {
  cancelRun,
  listRunningRuns,
  notifySlotGranted,
  readRunLiveness,
  startRun,
} from '../temporal/client/runs.js';
import { startUserDeletion } from '../temporal/client/users.js';
import type { Logger } from '../telemetry/logger.js';
import { createReconciler, type Reconciler } from './reconciler.js';

export interface TemporalReconcilerDeps {
  readonly db: Db;
  readonly temporal: Discussions;
  readonly closeRun: Activities['closeRun'];
  sweepArchives(now: Date): Promise<void>;
  readonly logger: Logger;
}

/** A run that a crash left unstarted waits this much longer at most. */
const INTERVAL_MS = 5_000;

export function createTemporalReconciler(deps: TemporalReconcilerDeps): Reconciler {
  const { db, temporal, logger } = deps;
  return createReconciler({
    db,
    logger,
    intervalMs: INTERVAL_MS,
    temporal: {
      async startPipeline({ id: pipelineId, userId, designName }) {
        const role = await readRole(db, userId);
        await startRun(temporal, { pipelineId, userId, role, designName });
      },
      async signalRunAdmitted({ id: pipelineId, userId, conversationId }) {
        if (conversationId !== null) {
          const role = await readRole(db, userId);
          await notifyRunAdmitted(temporal, { conversationId, userId, role, pipelineId });
        }
      },
      signalSlotGranted: (pipelineId) => notifySlotGranted(temporal, pipelineId),
      async cancelRun(pipelineId) {
        await cancelRun(temporal, pipelineId);
      },
      startUserDeletion: (userId) => startUserDeletion(temporal, userId),
      listRunning: () => listRunningRuns(temporal),
      describe: (pipelineId) => readRunLiveness(temporal, pipelineId),
    },
    sweepArchives: deps.sweepArchives,
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
