/** Tells workflows of attempts that have failed, so that operators read of them. */
import type { Client } from '@temporalio/client';
import type { FailedAttempt } from '../domain/failed-attempts.js';
import type { Logger } from '../telemetry/logger.js';
import { attemptFailedSignal } from '../workflows/attempts.messages.js';

export interface WorkflowOfAttempt {
  readonly workflowId: string;
  readonly runId: string;
}

export type ReportFailedAttempt = (workflow: WorkflowOfAttempt, failed: FailedAttempt) => void;

const TIMEOUT_MS = 5_000;

/** Nobody waits for it, and nothing is told twice: a report that is lost is followed by others. */
export function createAttemptReports(client: Client, logger: Logger): ReportFailedAttempt {
  return ({ workflowId, runId }, failed) => {
    void client
      .withDeadline(Date.now() + TIMEOUT_MS, () =>
        client.workflow.getHandle(workflowId, runId).signal(attemptFailedSignal, failed),
      )
      .catch((error: unknown) => {
        logger.debug('a failed attempt was not reported', { workflowId, error });
      });
  };
}
