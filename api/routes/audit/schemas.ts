import { z } from 'zod';
import { conversationPath } from '../conversations/schemas.js';
import { idText } from '../../http/schemas/fields.js';

export const headPath = z.object({
  head: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{64}$/),
});

export const discussionArchivePath = conversationPath.extend({ run_id: idText });
