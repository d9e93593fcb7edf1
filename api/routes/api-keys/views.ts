import { z } from 'zod';
import type { ApiKeyRow } from '../../../db/users/api-keys.js';

export const apiKeySchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    key_prefix: z.string(),
    is_active: z.boolean(),
    last_used_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'ApiKey' });

export const newApiKeySchema = apiKeySchema.extend({ key: z.string() }).meta({ id: 'NewApiKey' });

/** Shows no more of the key than its prefix. */
export function viewApiKey(row: ApiKeyRow): z.output<typeof apiKeySchema> {
  return {
    id: row.id,
    name: row.name,
    key_prefix: row.keyPrefix,
    is_active: row.isActive,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  };
}
