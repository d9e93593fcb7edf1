import { z } from 'zod';
import type { ConversationRow } from '../../../db/discussions/conversations.js';
import type { StoredMessage } from '../../../db/discussions/messages.js';
import { DISCUSSION_STATES } from '../../../domain/discussion/machine.js';
import type { SessionView } from '../../../events/session-view.js';

export const conversationSchema = z
  .object({
    id: z.guid(),
    user_id: z.guid(),
    title: z.string(),
    status: z.enum(['active', 'archived']),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Conversation' });

const messageSchema = z
  .object({
    id: z.guid(),
    conversation_id: z.guid(),
    role: z.enum(['user', 'assistant', 'system']),
    content: z.string(),
    metadata_: z.record(z.string(), z.unknown()).nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Message' });

const discussionSchema = z
  .object({
    state: z.enum(DISCUSSION_STATES),
    round: z.int().min(0),
    designs: z.array(z.record(z.string(), z.unknown())),
  })
  .meta({ id: 'Discussion' });

export const conversationWithMessagesSchema = conversationSchema
  .extend({ messages: z.array(messageSchema), discussion: discussionSchema.nullable() })
  .meta({ id: 'ConversationWithMessages' });

const next = z
  .string()
  .nullable()
  .meta({ description: '`after` of the next page; null: this is the last one' });

export const conversationPageSchema = z.object({ items: z.array(conversationSchema), next }).meta({
  id: 'ConversationPage',
  description: 'A filter may leave a page with few items, or none, and more to come',
});

export const messagePageSchema = z
  .object({ items: z.array(messageSchema), next })
  .meta({ id: 'MessagePage' });

export function viewConversation(row: ConversationRow): z.output<typeof conversationSchema> {
  return {
    id: row.id,
    user_id: row.userId,
    title: row.title,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function viewMessage(message: StoredMessage): z.output<typeof messageSchema> {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    role: message.role,
    content: message.content,
    metadata_: message.metadata === null ? null : { ...message.metadata },
    created_at: message.createdAt.toISOString(),
  };
}

/** How the discussion stands; null before its first answer. */
export function viewDiscussion(
  session: SessionView | null,
): z.output<typeof discussionSchema> | null {
  const state = DISCUSSION_STATES.find((known) => known === session?.state);
  return session === null || state === undefined
    ? null
    : { state, round: session.round, designs: session.designs.map((design) => ({ ...design })) };
}
