/** One closed run in Temporal of a discussion as its bundle: what was said, what it cost, its history. */
import type { ConversationRow } from '../db/discussions/conversations.js';
import type { RunRecords } from '../db/audit/run-records.js';
import { discussionWorkflowId } from '../domain/ids.js';
import { endEntries, type ArchivingDeps } from './archive.js';
import { makeBundle, type MadeBundle } from './bundle.js';
import type { HistoryEvent } from './history.js';
import { callEntries, transcriptOf } from './records.js';

export interface DiscussionRecords extends Pick<
  RunRecords,
  'messages' | 'calls' | 'prompts' | 'replies'
> {
  readonly conversation: ConversationRow;
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
}

/** When a history begins and ends. */
export function spanOf(events: readonly HistoryEvent[]): { from: Date; to: Date } {
  const at = (event: HistoryEvent | undefined) => new Date(String(event?.['eventTime']));
  return { from: at(events[0]), to: at(events.at(-1)) };
}

export function discussionBundleOf(
  deps: ArchivingDeps,
  { conversation, runId, events, messages, calls, prompts, replies }: DiscussionRecords,
  now: Date,
): MadeBundle {
  const { from, to } = spanOf(events);
  const workflowId = discussionWorkflowId(conversation.id);
  const data = {
    conversation_id: conversation.id,
    user_id: conversation.userId,
    title: conversation.title,
    run_id: runId,
    started_at: from.toISOString(),
    closed_at: to.toISOString(),
  };
  return makeBundle(
    [
      { kind: 'discussion', data },
      ...transcriptOf({ messages }),
      ...callEntries({ calls, prompts, replies }, []),
      ...endEntries(deps, { events, state: 'archived', workflowId, runId, now }),
    ],
    deps.signer,
  );
}
