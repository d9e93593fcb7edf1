/** A worker that can only read and end runs: the built workflows over the real rows. */
import type { Worker } from '@temporalio/worker';
import { createPipelineActivities } from '../../activities/run/runs.js';
import type { Db } from '../../db/connect.js';
import type { WorkflowFixture } from './workflow-fixture.js';

export interface ClosingWorker {
  readonly worker: Worker;
  /** Conversations whose discussion was signalled the end of its run. */
  readonly signalled: readonly string[];
  /** Statuses of the ends that were counted. */
  readonly counted: readonly string[];
}

export async function closingWorker(
  fixture: WorkflowFixture,
  { db, taskQueue }: { readonly db: Db; readonly taskQueue: string },
): Promise<ClosingWorker> {
  const signalled: string[] = [];
  const counted: string[] = [];
  const activities = createPipelineActivities({
    db,
    now: () => new Date(),
    pipelineTimeoutMs: 60_000,
    modelCallTimeoutMs: 60_000,
    publish: () => undefined,
    tellDiscussion: ({ conversationId }) => Promise.resolve(void signalled.push(conversationId)),
    tellSlotGranted: () => Promise.resolve(),
    countRun: ({ status }) => void counted.push(status),
    countMistake: () => undefined,
    wantArchives: () => undefined,
  });
  return { worker: await fixture.workerOf(taskQueue, activities), signalled, counted };
}
