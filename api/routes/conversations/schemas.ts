import { z } from 'zod';
import { text, uuid } from '../../http/schemas/fields.js';

/** 255: the column's size. */
export const createConversationBody = z
  .object({ title: text({ min: 1, max: 255 }) })
  .meta({ id: 'CreateConversationBody' });

export const conversationPath = z.object({ conversation_id: uuid });
