/** Workflows that make archives, and the histories that archives are made of. */
import {
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { ConversationId, UserId } from '../../domain/ids.js';
import { runsEndedSignal } from '../../workflows/maintenance/archives.messages.js';
import { archivesStart, discussionArchiveStart } from './start-options.js';
import { LONG_CALL_TIMEOUT_MS, withTimeout, type Temporal } from './timeouts.js';

/** Has all runs archived that have ended and are not. */
export async function requestArchivesOfRuns(temporal: Temporal, timeoutMs?: number): Promise<void> {
  const { client, taskQueue } = temporal;
  await withTimeout(
    temporal,
    () =>
      client.workflow.signalWithStart('archivesWorkflow', {
        ...archivesStart(taskQueue),
        args: [],
        signal: runsEndedSignal,
        signalArgs: [],
      }),
    timeoutMs,
  );
}

/** One that is being made, or has been, is left alone. */
export async function startDiscussionArchive(
  temporal: Temporal,
  run: {
    readonly conversationId: ConversationId;
    readonly userId: UserId;
    readonly runId: string;
  },
): Promise<void> {
  const options = { ...discussionArchiveStart(run, temporal.taskQueue), args: [run] };
  try {
    await withTimeout(temporal, () => temporal.client.workflow.start('archiveWorkflow', options));
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
  }
}

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

export function readClosedHistory(temporal: Temporal, run: WorkflowRun): Promise<ClosedHistory> {
  return withTimeout(temporal, () => read(temporal, run), LONG_CALL_TIMEOUT_MS);
}

async function read(
  { client }: Temporal,
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
