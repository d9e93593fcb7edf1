import { z } from 'zod';
import type { LlmKeyRow } from '../../../db/users/llm-keys.js';
import { VENDORS } from '../../../domain/agents/models.js';

export const llmKeySchema = z
  .object({
    id: z.guid(),
    provider: z.enum(VENDORS),
    key_prefix: z.string(),
    is_active: z.boolean(),
    is_valid: z.boolean(),
    last_used_at: z.iso.datetime().nullable(),
    last_validated_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'LlmKey' });

export const llmKeyValidationSchema = z
  .object({
    provider: z.enum(VENDORS),
    is_valid: z.boolean(),
    message: z.string(),
    models_available: z.array(z.string()),
  })
  .meta({ id: 'LlmKeyValidation' });

/** Shows no more of the key than its prefix. */
export function viewLlmKey(row: LlmKeyRow): z.output<typeof llmKeySchema> {
  return {
    id: row.id,
    provider: row.provider,
    key_prefix: row.keyPrefix,
    is_active: row.isActive,
    is_valid: row.isValid,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    last_validated_at: row.lastValidatedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
