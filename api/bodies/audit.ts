import { z } from 'zod';
import { conversationPath } from './conversations.js';

export const headPath = z.object({ head: z.string().regex(/^[0-9a-f]{64}$/) });

export const discussionArchivePath = conversationPath.extend({ run_id: z.string() });
