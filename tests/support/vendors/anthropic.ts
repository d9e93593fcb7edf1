import { z } from 'zod';
import type { Usage } from '../../../domain/agents/models.js';
import { isClosedSchema, sse, type Wire } from './wire.js';

const Body = z.strictObject({
  model: z.string().min(1),
  max_tokens: z.int().min(1),
  messages: z
    .array(z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string().min(1) }))
    .min(1),
  system: z.string().min(1).optional(),
  temperature: z.number().min(0).max(1).optional(),
  stream: z.literal(true).optional(),
  thinking: z.strictObject({ type: z.literal('disabled') }).optional(),
  output_config: z
    .strictObject({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
      format: z
        .strictObject({
          type: z.literal('json_schema'),
          schema: z.record(z.string(), z.unknown()).refine(isClosedSchema, 'schema is not closed'),
        })
        .optional(),
    })
    .optional(),
});

const FINISH = { stop: 'end_turn', length: 'max_tokens', refused: 'refusal' } as const;

export const anthropicWire: Wire = {
  vendor: 'anthropic',
  badKey: { status: 401, code: 'authentication_error' },
  requestIdHeader: 'request-id',
  routeOf: (method, path) => (method === 'POST' && path === '/v1/messages' ? 'complete' : null),
  keyOf: (headers) =>
    headers['x-api-key'] ?? headers['authorization']?.replace(/^Bearer /, '') ?? '',
  missingHeader: (headers) =>
    headers['anthropic-version'] === undefined ? 'anthropic-version' : null,
  read: (raw) => {
    const body = Body.parse(raw);
    return {
      model: body.model,
      maxTokens: body.max_tokens,
      prompt: [body.system ?? '', ...body.messages.map(({ content }) => content)].join('\n'),
      schema: body.output_config?.format?.schema ?? null,
      isStreamed: body.stream === true,
    };
  },
  answer: ({ id, model, text, usage, finish }) => ({
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: finish === 'refused' ? [] : [{ type: 'text', text }],
    stop_reason: FINISH[finish],
    stop_sequence: null,
    usage: { ...inputOf(usage), ...outputOf(usage) },
  }),
  empty: ({ id, model }) => ({
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 0 },
  }),
  stream: ({ id, model, usage, finish }) => {
    const event = (type: string, fields: object = {}) => sse({ type, ...fields }, type);
    const message = { id, type: 'message', role: 'assistant', model, content: [] };
    const block = { type: 'text', text: '' };
    return {
      head: [
        event('message_start', {
          message: { ...message, usage: { ...inputOf(usage), output_tokens: 1 } },
        }),
        event('content_block_start', { index: 0, content_block: block }),
        event('ping'),
      ].join(''),
      piece: (text) =>
        event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
      tail: [
        event('content_block_stop', { index: 0 }),
        event('message_delta', {
          delta: { stop_reason: FINISH[finish], stop_sequence: null },
          usage: { ...outputOf(usage), input_tokens: null },
        }),
        event('message_stop'),
      ].join(''),
      error: event('error', { error: { type: 'overloaded_error', message: 'overloaded' } }),
    };
  },
  models: () => ({ data: [] }),
  error: ({ message, code }) => ({ type: 'error', error: { type: code, message } }),
};

/** Cached tokens stand beside `input_tokens`. */
function inputOf(usage: Usage) {
  const { cacheReadTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0 } = usage;
  const written = cacheWriteTokens + cacheWrite1hTokens;
  return {
    input_tokens: usage.promptTokens - cacheReadTokens - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: cacheWriteTokens,
      ephemeral_1h_input_tokens: cacheWrite1hTokens,
    },
    service_tier: usage.serviceTier ?? 'standard',
    inference_geo: 'global',
  };
}

function outputOf({ completionTokens, reasoningTokens = 0 }: Usage) {
  return {
    output_tokens: completionTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
}
