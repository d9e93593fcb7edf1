import { z } from 'zod';
import type { Usage } from '../../../domain/agents/models.js';
import { EFFORTS } from '../../../llm/model.js';
import { isClosedSchema, sse, type Wire } from './wire.js';

const Body = z
  .strictObject({
    model: z.string().min(1),
    messages: z
      .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
      .min(1),
    max_tokens: z.int().min(1).optional(),
    max_completion_tokens: z.int().min(1).optional(),
    temperature: z.number().min(0).max(2).optional(),
    stream: z.literal(true).optional(),
    stream_options: z.strictObject({ include_usage: z.literal(true) }).optional(),
    reasoning_effort: z.enum(EFFORTS).optional(),
    response_format: z
      .strictObject({
        type: z.literal('json_schema'),
        json_schema: z.strictObject({
          name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
          strict: z.literal(true),
          schema: z.record(z.string(), z.unknown()).refine(isClosedSchema, 'schema is not strict'),
        }),
      })
      .optional(),
  })
  .refine((body) => (body.max_tokens === undefined) !== (body.max_completion_tokens === undefined));

const FINISH = { stop: 'stop', length: 'length', refused: 'content_filter' } as const;

export const openAiWire: Wire = {
  vendor: 'openai',
  badKey: { status: 401, code: 'invalid_api_key' },
  requestIdHeader: 'x-request-id',
  routeOf: (method, path) => {
    if (method === 'POST' && path === '/v1/chat/completions') {
      return 'complete';
    }
    return method === 'GET' && path === '/v1/models' ? 'list-models' : null;
  },
  keyOf: (headers) => headers['authorization']?.replace(/^Bearer /, '') ?? '',
  missingHeader: () => null,
  read: (raw) => {
    const body = Body.parse(raw);
    return {
      model: body.model,
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
      prompt: body.messages.map(({ content }) => content).join('\n'),
      schema: body.response_format?.json_schema.schema ?? null,
      isStreamed: body.stream === true,
    };
  },
  answer: ({ id, model, text, usage, finish }) => ({
    id,
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [
      {
        index: 0,
        finish_reason: FINISH[finish],
        logprobs: null,
        message: { role: 'assistant', content: finish === 'refused' ? null : text, refusal: null },
      },
    ],
    usage: countsOf(usage),
    service_tier: usage.serviceTier ?? 'default',
  }),
  empty: ({ id, model }) => ({ id, object: 'chat.completion', model, choices: [] }),
  stream: ({ id, model, usage, finish }) => {
    const chunk = (fields: object) =>
      sse({ id, object: 'chat.completion.chunk', created: 1_700_000_000, model, ...fields });
    const choice = (delta: object, finish_reason: string | null = null) =>
      chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason }], usage: null });
    return {
      head: choice({ role: 'assistant', content: '', refusal: null }),
      piece: (content) => choice({ content }),
      tail: `${choice({}, FINISH[finish])}${chunk({ choices: [], usage: countsOf(usage), service_tier: usage.serviceTier ?? 'default' })}data: [DONE]\n\n`,
      error: sse({ error: { message: 'overloaded', type: 'server_error', code: null } }),
    };
  },
  models: () => ({
    object: 'list',
    data: Array.from({ length: 25 }, (_, index) => ({
      id: index === 0 ? 'gpt-4o' : `gpt-test-${index}`,
      object: 'model',
      created: 1,
      owned_by: 'openai',
    })),
  }),
  error: ({ message, code, param = null }) => ({ error: { message, type: code, param, code } }),
};

/** Cached and written tokens are part of the prompt, thoughts of the completion. */
function countsOf(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cacheReadTokens ?? 0,
      cache_write_tokens: usage.cacheWriteTokens ?? 0,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens ?? 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
      audio_tokens: 0,
    },
  };
}
