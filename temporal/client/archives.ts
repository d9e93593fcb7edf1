/** Histories of workflows that have closed, as Temporal still has them. */
import { isGrpcServiceError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';

export type ClosedHistory =
  | { readonly kind: 'open' }
  /** The server does not know it: it never began, or its retention is over. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'too-large'; readonly runId: string }
  | {
      readonly kind: 'closed';
      readonly runId: string;
      /** Payloads as they are stored. */
      readonly history: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
    };

export interface WorkflowRun {
  readonly workflowId: string;
  /** Default: its latest. */
  readonly runId?: string;
}

/** Source: gRPC, status codes. */
const NOT_FOUND = 5;
/** As stored. A bundle is made in memory, where payloads are several times as large. */
const MAX_BYTES = 8_388_608;

/** @throws while the server does not answer */
export async function readClosedHistory(
  client: Client,
  { workflowId, runId: wanted }: WorkflowRun,
): Promise<ClosedHistory> {
  try {
    const { runId, status, historySize } = await client.workflow
      .getHandle(workflowId, wanted)
      .describe();
    if (status.name === 'RUNNING') {
      return { kind: 'open' };
    }
    if ((historySize ?? 0) > MAX_BYTES) {
      return { kind: 'too-large', runId };
    }
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    return { kind: 'closed', runId, history };
  } catch (error) {
    if (isForgotten(error)) {
      return { kind: 'missing' }; // also where its retention ends between the two questions
    }
    throw error;
  }
}

function isForgotten(error: unknown): boolean {
  const code: number | null = isGrpcServiceError(error) ? error.code : null;
  return error instanceof WorkflowNotFoundError || code === NOT_FOUND;
}
