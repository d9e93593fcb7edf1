import { z } from 'zod';
import type { Usage } from '../../../domain/agents/models.js';
import { sse, type Wire } from './wire.js';

const parts = z.array(z.strictObject({ text: z.string().min(1) })).min(1);

const Body = z.strictObject({
  contents: z.array(z.strictObject({ role: z.enum(['user', 'model']), parts })).min(1),
  systemInstruction: z.strictObject({ role: z.string(), parts }).optional(),
  safetySettings: z.array(z.never()).optional(),
  generationConfig: z.strictObject({
    maxOutputTokens: z.int().min(1),
    thinkingConfig: z
      .union([
        z.strictObject({ thinkingBudget: z.int().min(0) }),
        z.strictObject({ thinkingLevel: z.enum(['minimal', 'low', 'medium', 'high']) }),
      ])
      .optional(),
    temperature: z.number().min(0).max(2).optional(),
    responseMimeType: z.literal('application/json').optional(),
    responseSchema: z
      .record(z.string(), z.unknown())
      .refine((schema) => !JSON.stringify(schema).includes('"additionalProperties"'))
      .optional(),
  }),
});

const FINISH = { stop: 'STOP', length: 'MAX_TOKENS', refused: 'SAFETY' } as const;
const ROUTE = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

export const googleWire: Wire = {
  vendor: 'google',
  badKey: { status: 400, code: 'API_KEY_INVALID' },
  requestIdHeader: 'x-goog-request-id',
  routeOf: (method, path) => {
    if (method === 'POST' && ROUTE.test(path)) {
      return 'complete';
    }
    return method === 'GET' && path === '/v1beta/models' ? 'list-models' : null;
  },
  keyOf: (headers, url) => headers['x-goog-api-key'] ?? url.searchParams.get('key') ?? '',
  missingHeader: () => null,
  read: (raw, path) => {
    const body = Body.parse(raw);
    const contents = [
      ...(body.systemInstruction?.parts ?? []),
      ...body.contents.flatMap((c) => c.parts),
    ];
    return {
      model: ROUTE.exec(path)?.[1] ?? '',
      maxTokens: body.generationConfig.maxOutputTokens,
      prompt: contents.map(({ text }) => text).join('\n'),
      schema: body.generationConfig.responseSchema ?? null,
      isStreamed: ROUTE.exec(path)?.[2] === 'streamGenerateContent',
    };
  },
  answer: ({ id, model, text, usage, finish }) => ({
    candidates: [
      {
        ...(finish === 'refused' ? {} : { content: { role: 'model', parts: [{ text }] } }),
        finishReason: FINISH[finish],
        index: 0,
      },
    ],
    usageMetadata: countsOf(usage),
    modelVersion: model,
    responseId: id,
  }),
  empty: ({ id }) => ({ usageMetadata: { promptTokenCount: 1 }, responseId: id }),
  stream: ({ id, model, usage, finish }) => {
    const chunk = (candidate: object, usageMetadata: object) =>
      sse({
        candidates: [{ ...candidate, index: 0 }],
        usageMetadata,
        modelVersion: model,
        responseId: id,
      }).replace('\n\n', '\r\n\r\n');
    const content = (text: string) => ({ content: { role: 'model', parts: [{ text }] } });
    return {
      head: '',
      piece: (text) => chunk(content(text), { promptTokenCount: usage.promptTokens }),
      tail: chunk({ ...content(''), finishReason: FINISH[finish] }, countsOf(usage)),
      error: sse({ error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }),
    };
  },
  models: () => ({
    models: [
      { name: 'models/gemini-2.5-pro', supportedGenerationMethods: ['generateContent'] },
      { name: 'models/embedding-001', supportedGenerationMethods: ['embedContent'] },
    ],
  }),
  error: ({ status, message, code, retryAfterSeconds }) => ({
    error: {
      code: status,
      message,
      status: code,
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: code,
          domain: 'googleapis.com',
        },
        ...(retryAfterSeconds === undefined
          ? []
          : [
              {
                '@type': 'type.googleapis.com/google.rpc.RetryInfo',
                retryDelay: `${retryAfterSeconds}s`,
              },
            ]),
      ],
    },
  }),
};

/** Cached tokens are part of the prompt, thoughts stand beside the candidates. */
function countsOf(usage: Usage) {
  const { promptTokens, completionTokens, cacheReadTokens, reasoningTokens = 0 } = usage;
  return {
    promptTokenCount: promptTokens,
    candidatesTokenCount: completionTokens - reasoningTokens,
    totalTokenCount: promptTokens + completionTokens,
    ...(cacheReadTokens === undefined ? {} : { cachedContentTokenCount: cacheReadTokens }),
    ...(reasoningTokens === 0 ? {} : { thoughtsTokenCount: reasoningTokens }),
    ...(usage.serviceTier === undefined ? {} : { serviceTier: usage.serviceTier }),
  };
}
