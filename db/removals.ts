/** Removes runs and conversations with all that belongs to them. */
import type { ConversationId, PipelineId } from '../domain/ids.js';
import { removePromptsOf } from './billing/call-prompts.js';
import type { Tx } from './connect.js';

/** With their steps, prompts, approvals and, where they have no conversation, their events. */
export async function removeRuns(tx: Tx, ids: readonly PipelineId[]): Promise<void> {
  if (ids.length > 0) {
    await removePromptsOf(tx, ids);
    await tx.deleteFrom('streams').where('id', 'in', ids).execute();
    await tx.deleteFrom('pipelineExecutions').where('id', 'in', ids).execute();
  }
}

/** With their messages, prompts, state, runs and events. */
export async function removeConversations(tx: Tx, ids: readonly ConversationId[]): Promise<void> {
  if (ids.length > 0) {
    await removePromptsOf(tx, ids);
    await tx.deleteFrom('streams').where('id', 'in', ids).execute();
    await tx.deleteFrom('conversations').where('id', 'in', ids).execute();
  }
}
