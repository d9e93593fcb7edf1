/** Workflows of discussions: a signal starts the one that sleeps, from its stored state. */
import { WorkflowNotFoundError, type SignalDefinition } from '@temporalio/common';
import { conversationIdIn, type ConversationId, type PipelineId } from '../../domain/ids.js';
import {
  pipelineEndedSignal,
  runAdmittedSignal,
  userMessageSignal,
  type DiscussionInput,
  type DiscussionLimits,
  type UserMessage,
} from '../../workflows/discussion/discussion.messages.js';
import { discussionStart, type Starter } from './start-options.js';
import { LONG_CALL_TIMEOUT_MS, withTimeout, type Temporal } from './timeouts.js';

export type { DiscussionLimits, UserMessage };

/** What its functions need to start a discussion with. */
export interface Discussions extends Temporal {
  readonly limits: DiscussionLimits;
}

interface DiscussionOf extends Starter {
  readonly conversationId: ConversationId;
}

export type ChatMessage = DiscussionOf & UserMessage;

/** Resolves when Temporal has acknowledged the message: it is accepted. Repeat it under the same id. */
export async function sendMessage(
  discussions: Discussions,
  message: ChatMessage,
  timeoutMs: number,
): Promise<void> {
  const { messageId, content, receivedAt } = message;
  const signalled = { messageId, content, receivedAt };
  await signal(discussions, message, { signal: userMessageSignal, signalled, timeoutMs });
}

export interface RunOfDiscussion extends DiscussionOf {
  readonly pipelineId: PipelineId;
}

/** A run was admitted that its discussion has confirmed, and starts. */
export async function notifyRunAdmitted(
  discussions: Discussions,
  run: RunOfDiscussion,
): Promise<void> {
  const signalled = { pipelineId: run.pipelineId };
  await signal(discussions, run, { signal: runAdmittedSignal, signalled });
}

export async function notifyRunEnded(
  discussions: Discussions,
  run: RunOfDiscussion,
): Promise<void> {
  const signalled = { pipelineId: run.pipelineId };
  await signal(discussions, run, { signal: pipelineEndedSignal, signalled });
}

/** Most discussions are awake, and a signal costs Temporal less than one that may have to start them. */
async function signal<T>(
  discussions: Discussions,
  { conversationId, userId, role }: DiscussionOf,
  call: { signal: SignalDefinition<[T]>; signalled: T; timeoutMs?: number },
): Promise<void> {
  const { client, taskQueue, limits } = discussions;
  const start = discussionStart(conversationId, { userId, role }, taskQueue);
  const send = async (): Promise<void> => {
    try {
      await client.workflow.getHandle(start.workflowId).signal(call.signal, call.signalled);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) {
        throw error;
      }
      const input: DiscussionInput = { conversationId, userId, role, ...limits };
      await client.workflow.signalWithStart('discussionWorkflow', {
        ...start,
        args: [input],
        signal: call.signal,
        signalArgs: [call.signalled],
      });
    }
  };
  await withTimeout(discussions, send, call.timeoutMs);
}

export interface ClosedDiscussion {
  readonly conversationId: string;
  readonly runId: string;
}

/** Only those of our workers' queue: products may share a namespace. */
export async function* listClosedDiscussions(
  { client, taskQueue }: Temporal,
  since: Date,
): AsyncIterable<ClosedDiscussion> {
  const query = [
    `WorkflowType = 'discussionWorkflow'`,
    `TaskQueue = '${taskQueue}'`,
    `ExecutionStatus != 'Running'`,
    `CloseTime > '${since.toISOString()}'`,
  ].join(' AND ');
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const conversationId = conversationIdIn(workflowId);
    if (conversationId !== null) {
      yield { conversationId, runId };
    }
  }
}

export async function countAwakeDiscussions(temporal: Temporal): Promise<number> {
  const query = `WorkflowType = 'discussionWorkflow' AND ExecutionStatus = 'Running'`;
  const counting = () => temporal.client.workflow.count(query);
  const { count } = await withTimeout(temporal, counting, LONG_CALL_TIMEOUT_MS);
  return count;
}
