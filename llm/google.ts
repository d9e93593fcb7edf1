import {
  GoogleGenerativeAI,
  type GenerateContentRequest,
  type ResponseSchema,
} from '@google/generative-ai';
import { z } from 'zod';
import type { ModelReply } from '../domain/models.js';
import { googleSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, TakeText } from './model.js';
import {
  MODELS_NAMED,
  callVendor,
  checkVendorKey,
  clamp,
  readVendorStream,
  withoutSlash,
} from './vendor-call.js';
import { unusableReply } from './vendor-errors.js';

const DEFAULT_BASE_URL = 'https://generativelanguage.googleapis.com';

const Reply = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z
              .array(z.object({ text: z.string().optional(), thought: z.boolean().optional() }))
              .optional(),
          })
          .optional(),
        finishReason: z.string().optional(),
      }),
    )
    .optional(),
  promptFeedback: z.object({ blockReason: z.string().optional() }).optional(),
  usageMetadata: z.object({
    promptTokenCount: z.number().default(0),
    candidatesTokenCount: z.number().default(0),
    /** Billed as output. */
    thoughtsTokenCount: z.number().default(0),
  }),
  responseId: z.string().optional(),
  modelVersion: z.string().optional().catch(undefined),
});

/** One event of a stream, like a reply in which anything may still be missing. */
const Chunk = Reply.extend({ usageMetadata: z.looseObject({}).optional() }).transform((chunk) => ({
  ...chunk,
  text: textOf(chunk),
}));

/** Gives our own schema the SDK's type. */
const GoogleSchema = z.custom<ResponseSchema>((value) => typeof value === 'object');

const ModelList = z.object({
  models: z
    .array(
      z.object({ name: z.string(), supportedGenerationMethods: z.array(z.string()).default([]) }),
    )
    .default([]),
});

/** @param config `baseUrl` without a version */
export function createGoogle(config: { baseUrl?: string | undefined } = {}): Provider {
  const baseUrl = withoutSlash(config.baseUrl ?? DEFAULT_BASE_URL);
  return {
    name: 'google',
    complete: (call, options) =>
      callVendor('google', options, async (signal) => {
        const model = new GoogleGenerativeAI(options.apiKey).getGenerativeModel(
          { model: call.model },
          { baseUrl },
        );
        if (options.onDelta === undefined) {
          const { response } = await model.generateContent(requestOf(call), { signal });
          return replyOf(call, response);
        }
        const { stream, response } = await model.generateContentStream(requestOf(call), { signal });
        response.catch(() => undefined); // it fails as the stream does
        return replyOf(call, await readStream(stream, options.onDelta));
      }),
    checkKey: (options) =>
      checkVendorKey('google', options, (signal) => listModels(baseUrl, options, signal)),
  };
}

/** @returns the whole answer, as it comes without a stream. @throws `model-unavailable` */
async function readStream(chunks: AsyncIterable<unknown>, onDelta: TakeText): Promise<unknown> {
  const events = await readVendorStream('google', { events: chunks, schema: Chunk }, onDelta);
  const reasons = events.flatMap(({ candidates }) => candidates?.[0]?.finishReason ?? []);
  const isBlocked = events.some((event) => event.promptFeedback?.blockReason !== undefined);
  if (reasons.length === 0 && !isBlocked) {
    throw unusableReply('google'); // it ended in the middle
  }
  const content = { parts: events.map(({ text }) => ({ text })) };
  // each event counts all tokens so far
  const counts = events.flatMap(({ usageMetadata = {} }) => Object.entries(usageMetadata));
  return {
    promptFeedback: events.find(({ promptFeedback }) => promptFeedback)?.promptFeedback,
    candidates: [{ content, finishReason: reasons.at(-1) }],
    usageMetadata: Object.fromEntries(counts),
    responseId: events.find(({ responseId }) => responseId)?.responseId,
    modelVersion: events.find(({ modelVersion }) => modelVersion)?.modelVersion,
  };
}

function requestOf(call: ModelCall): GenerateContentRequest {
  const system = call.messages.filter(({ role }) => role === 'system');
  return {
    contents: call.messages
      .filter(({ role }) => role !== 'system')
      .map(({ role, content }) => ({
        role: role === 'assistant' ? 'model' : 'user',
        parts: [{ text: content }],
      })),
    ...(system.length === 0
      ? {}
      : {
          systemInstruction: {
            role: 'system',
            parts: [{ text: system.map(({ content }) => content).join('\n\n') }],
          },
        }),
    generationConfig: {
      maxOutputTokens: call.maxTokens,
      temperature: clamp(call.temperature, [0, 2]),
      ...(call.answer === undefined
        ? {}
        : {
            responseMimeType: 'application/json',
            responseSchema: GoogleSchema.parse(googleSchemaOf(call.answer.schema)),
          }),
    },
  };
}

/** Why Google withholds a text. Source: ai.google.dev, `FinishReason`. */
const WITHHELD = new Set([
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
]);

function replyOf(call: ModelCall, response: unknown): ModelReply {
  const { success, data } = Reply.safeParse(response);
  if (!success || (data.candidates?.[0] ?? data.promptFeedback?.blockReason) === undefined) {
    throw unusableReply('google');
  }
  const finish = finishOf(data);
  return {
    content: finish === 'refused' ? '' : textOf(data),
    provider: 'google',
    model: call.model,
    responseModel: data.modelVersion,
    usage: {
      promptTokens: data.usageMetadata.promptTokenCount,
      completionTokens:
        data.usageMetadata.candidatesTokenCount + data.usageMetadata.thoughtsTokenCount,
    },
    finish,
    requestId: data.responseId ?? null,
  };
}

function finishOf({ candidates, promptFeedback }: z.infer<typeof Reply>): ModelReply['finish'] {
  const reason = candidates?.[0]?.finishReason ?? '';
  if (promptFeedback?.blockReason !== undefined || WITHHELD.has(reason)) {
    return 'refused';
  }
  return reason === 'MAX_TOKENS' ? 'length' : 'stop';
}

function textOf({ candidates }: Pick<z.infer<typeof Reply>, 'candidates'>): string {
  const parts = candidates?.[0]?.content?.parts ?? [];
  return parts.map(({ text, thought }) => (thought === true ? '' : (text ?? ''))).join('');
}

/** The SDK cannot list models. */
async function listModels(baseUrl: string, { apiKey }: CallOptions, signal: AbortSignal) {
  const response = await fetch(`${baseUrl}/v1beta/models?pageSize=200`, {
    headers: { 'x-goog-api-key': apiKey },
    signal,
  });
  if (!response.ok) {
    throw await failureOf(response);
  }
  const listed = ModelList.safeParse(await response.json());
  if (!listed.success) {
    throw unusableReply('google');
  }
  return listed.data.models
    .filter((model) => model.supportedGenerationMethods.includes('generateContent'))
    .slice(0, MODELS_NAMED)
    .map(({ name }) => name.replace(/^models\//, ''));
}

const Failure = z.object({ error: z.object({ details: z.array(z.unknown()).default([]) }) });

/** In the SDK's own form, so that one place sorts both. */
async function failureOf(response: Response) {
  const body = Failure.safeParse(await response.json().catch(() => null));
  const errorDetails = body.success ? body.data.error.details : [];
  return Object.assign(new Error('google refused to list models'), {
    status: response.status,
    errorDetails,
  });
}
