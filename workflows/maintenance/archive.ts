/**
 * Archives one run in Temporal of a discussion: waits until its workflow has closed, which no workflow
 * sees of itself. Runs of pipelines had one each up to 0.4.0; theirs go on, and are replayed.
 */
import {
  continueAsNew,
  setCurrentDetails,
  setWorkflowOptions,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ArchiveSubject } from '../../domain/run/archives.js';
import { archives } from '../activity-proxies.js';
import { MISTAKES } from '../failures.js';

export type ArchiveInput = ArchiveSubject & {
  /** How long it waits before it asks again, for the first time. Default: 250 ms. */
  readonly waitMs?: number;
};

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10 * 60_000;

/** @returns `gone`: there is nothing to archive any more */
export async function archiveWorkflow(input: ArchiveInput): Promise<'archived' | 'gone'> {
  let { waitMs = FIRST_WAIT_MS } = input;
  setCurrentDetails(
    'pipelineId' in input
      ? `**Archives the run** ${input.pipelineId}`
      : `**Archives the discussion** ${input.conversationId}, run ${input.runId}`,
  );
  for (;;) {
    const { kind } = await archive(input);
    if (kind !== 'open') {
      return kind;
    }
    await sleep(waitMs, { summary: 'until it has closed and its calls are settled' });
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof archiveWorkflow>({ ...input, waitMs });
    }
  }
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, archiveWorkflow);

function archive(subject: ArchiveSubject) {
  if ('pipelineId' in subject) {
    return archives.archiveRun({ pipelineId: subject.pipelineId });
  }
  const { conversationId, userId, runId } = subject;
  return archives.archiveDiscussion({ conversationId, userId, runId });
}
