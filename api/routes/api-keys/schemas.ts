import { z } from 'zod';
import { text, uuid } from '../../http/schemas/fields.js';

/** 100: the column's size. */
export const createApiKeyBody = z
  .object({ name: text({ min: 1, max: 100 }) })
  .meta({ id: 'CreateApiKeyBody' });

export const apiKeyPath = z.object({ key_id: uuid });
