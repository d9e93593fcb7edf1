import type { ConversationId, PipelineId, UserId } from '../ids.js';

/** What is archived: a run, or one run in Temporal of a discussion. */
export type ArchiveSubject =
  | { readonly pipelineId: PipelineId }
  | {
      readonly conversationId: ConversationId;
      readonly userId: UserId;
      readonly runId: string;
    };
