/** What a worker tells a discussion: its messages, with a start where it sleeps. */
import type { Client } from '@temporalio/client';
import type { ConversationId, PipelineId } from '../domain/ids.js';
import { discussionStart, type Starter } from '../temporal/client/start-options.js';
import {
  pipelineEndedSignal,
  runAdmittedSignal,
  type DiscussionInput,
  type DiscussionLimits,
} from '../workflows/discussion.messages.js';

export interface RunOfDiscussion extends Starter {
  readonly conversationId: ConversationId;
  readonly pipelineId: PipelineId;
}

export interface DiscussionDoor {
  tellRunEnded(run: RunOfDiscussion): Promise<void>;
  /** Repeats the admission of a run that its discussion has not started yet. */
  tellRunAdmitted(run: RunOfDiscussion): Promise<void>;
}

/** What a silent connection does not take by then is told again later. */
const TIMEOUT_MS = 5_000;

export function createDiscussionDoor(deps: {
  readonly client: Client;
  readonly taskQueue: string;
  readonly limits: DiscussionLimits;
  readonly timeoutMs?: number;
}): DiscussionDoor {
  const { client, taskQueue, timeoutMs = TIMEOUT_MS } = deps;
  const tell = async (signal: typeof pipelineEndedSignal, run: RunOfDiscussion): Promise<void> => {
    const { conversationId, pipelineId, userId, role } = run;
    const input: DiscussionInput = { conversationId, userId, role, ...deps.limits };
    await client.withDeadline(Date.now() + timeoutMs, () =>
      client.workflow.signalWithStart('discussionWorkflow', {
        ...discussionStart(conversationId, run, taskQueue),
        args: [input],
        signal,
        signalArgs: [{ pipelineId }],
      }),
    );
  };
  return {
    tellRunEnded: (run) => tell(pipelineEndedSignal, run),
    tellRunAdmitted: (run) => tell(runAdmittedSignal, run),
  };
}
