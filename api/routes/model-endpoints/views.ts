import { z } from 'zod';
import type { EndpointRow } from '../../../db/users/model-endpoints.js';
import type { Price } from '../../../domain/account/bill.js';
import { nameEndpointModel } from '../../../domain/agents/endpoints.js';

export const modelEndpointSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    /** Of servers for all, administrators alone see it. */
    base_url: z.string().nullable(),
    has_key: z.boolean(),
    shared: z.boolean(),
    models: z.array(
      z.object({
        id: z.string(),
        /** As designs write it. */
        llm_model: z.string(),
        price: z.union([
          z.literal('free'),
          z.object({
            input_usd_per_million: z.string(),
            output_usd_per_million: z.string(),
            cache_read_usd_per_million: z.string().optional(),
            cache_write_usd_per_million: z.string().optional(),
          }),
        ]),
        context_tokens: z.int().nullable(),
      }),
    ),
    /** What the check has found that the server does not do. */
    quirks: z.object({
      structured_output: z.enum(['json_schema', 'json_object']).nullable(),
      streaming: z.enum(['with-usage', 'plain']).nullable(),
      output_cap: z.enum(['max_tokens', 'max_completion_tokens']),
      temperature: z.boolean(),
      states_usage: z.boolean(),
    }),
    is_valid: z.boolean(),
    problem: z.string().nullable(),
    checked_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'ModelEndpoint' });

/** @param showsAddress whether the viewer may know where a server for all stands */
export function viewModelEndpoint(
  row: EndpointRow,
  { showsAddress }: { readonly showsAddress: boolean },
): z.output<typeof modelEndpointSchema> {
  const { structuredOutput, streaming, outputCap, temperature, statesUsage } = row.quirks;
  return {
    id: row.id,
    name: row.name,
    base_url: row.userId !== null || showsAddress ? row.baseUrl : null,
    has_key: row.encryptedKey !== null,
    shared: row.userId === null,
    models: row.models.map((model) => ({
      id: model.id,
      llm_model: nameEndpointModel(row, model),
      price: viewPrice(model.price),
      context_tokens: model.contextTokens,
    })),
    quirks: {
      structured_output: structuredOutput,
      streaming,
      output_cap: outputCap,
      temperature,
      states_usage: statesUsage,
    },
    is_valid: row.isValid,
    problem: row.problem,
    checked_at: row.checkedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

function viewPrice(price: Price | null) {
  if (price === null) {
    return 'free' as const;
  }
  const { cacheReadUsdPerMillion: read, cacheWriteUsdPerMillion: write } = price;
  return {
    input_usd_per_million: price.inputUsdPerMillion,
    output_usd_per_million: price.outputUsdPerMillion,
    ...(read === undefined ? {} : { cache_read_usd_per_million: read }),
    ...(write === undefined ? {} : { cache_write_usd_per_million: write }),
  };
}
