import { log } from '@temporalio/activity';
import type { ArchivingDeps } from '../../audit/archive.js';
import type { ArchiveCipher } from '../../audit/archive-cipher.js';
import { discussionBundleOf, spanOf } from '../../audit/discussion-archive.js';
import { readableHistory } from '../../audit/history.js';
import type { Db } from '../../db/connect.js';
import { findConversation } from '../../db/discussions/conversations.js';
import {
  readDiscussionCalls,
  saveDiscussionArchive,
  type OwnedDiscussionRun,
} from '../../db/audit/discussion-archives.js';
import { listMessages } from '../../db/discussions/messages.js';
import { discussionWorkflowId } from '../../domain/ids.js';
import { reportPrompts } from './run-archives.js';
import type { ClosedHistory, WorkflowRun } from '../../temporal/client/archives.js';

export interface DiscussionArchiveActivities {
  /** Archives one run in Temporal of a discussion, once; without its history there is nothing to. */
  archiveDiscussion(call: OwnedDiscussionRun): Promise<{ kind: 'archived' | 'gone' | 'open' }>;
}

export interface DiscussionArchiveDeps extends ArchivingDeps {
  readonly db: Db;
  readonly archiveCipher: ArchiveCipher;
  readonly now: () => Date;
  readClosedHistory(run: WorkflowRun): Promise<ClosedHistory>;
}

export function createDiscussionArchiveActivities(
  deps: DiscussionArchiveDeps,
): DiscussionArchiveActivities {
  const { db } = deps;
  return {
    async archiveDiscussion({ conversationId, userId, runId }) {
      const conversation = await findConversation(db, { userId, conversationId });
      const workflowId = discussionWorkflowId(conversationId);
      const closed = await deps.readClosedHistory({ workflowId, runId });
      if (closed.kind === 'open') {
        return { kind: 'open' };
      }
      if (conversation === undefined || closed.kind !== 'closed') {
        return { kind: 'gone' };
      }
      const events = await readableHistory(closed.history, deps.codec);
      const span = spanOf(events);
      const messages = await listMessages(db, conversationId);
      const records = {
        ...{ conversation, runId, events },
        messages: messages.filter(({ createdAt }) => createdAt <= span.to),
        ...(await readDiscussionCalls(db, conversationId, span)),
      };
      const archivedAt = deps.now();
      const { text, head, otherPrompts } = discussionBundleOf(deps, records, archivedAt);
      reportPrompts(otherPrompts, { conversationId, runId });
      const sealed = await deps.archiveCipher.seal(text, runId);
      const archive = { ...sealed, conversationId, runId, head, archivedAt };
      if (await saveDiscussionArchive(db, archive)) {
        log.info('discussion archived', { conversationId, runId, head });
      }
      return { kind: 'archived' };
    },
  };
}
