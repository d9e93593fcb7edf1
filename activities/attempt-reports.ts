/** Reports failed attempts to their workflow, which shows them to operators. */
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

/** Sent once, without waiting for the answer: a later report replaces one that was lost. */
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
