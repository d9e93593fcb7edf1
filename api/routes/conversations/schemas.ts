import { z } from 'zod';
import { queryInteger, text, timeCursor, uuid } from '../../http/schemas/fields.js';

/** 255: the column's size. */
export const createConversationBody = z
  .object({ title: text({ min: 1, max: 255 }) })
  .meta({ id: 'CreateConversationBody' });

const PAGE = { initial: 20, max: 100 };
const MAX_SEARCH = 200;

/** `after` is the `next` of the page before. */
export const conversationPageQuery = z.object({
  limit: queryInteger({ min: 1, ...PAGE }),
  after: timeCursor.optional(),
  search: text({ min: 1, max: MAX_SEARCH }).optional().describe('A part of the title, in any case'),
  status: z.enum(['active', 'archived']).optional(),
});

export const messagePageQuery = z.object({
  limit: queryInteger({ min: 1, ...PAGE }),
  order: z.enum(['newest', 'oldest']).default('newest').describe('Which come first'),
  after: uuid.optional().describe('The message before the page: `next` of the page before'),
});

/** Without it a conversation comes with all of its messages. */
export const conversationQuery = z.object({
  messages: z
    .string()
    .regex(/^(?:\d{1,2}|100)$/)
    .optional()
    .describe('With the latest so many messages only, 100 at most'),
});

export const conversationPath = z.object({ conversation_id: uuid });
