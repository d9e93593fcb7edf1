import type {
  GenerateContentRequest,
  GenerationConfig,
  ResponseSchema,
} from '@google/generative-ai';
import { z } from 'zod';
import { withoutTrailingSlashes } from '../../domain/text/trailing-slashes.js';
import { googleSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, ProviderReply, TakeText } from '../model.js';
import { lastStated, listOf, type StatedUsage } from './provider-answer.js';
import { readAnswer, toReplyIfEnded } from './provider-stream.js';
import { MODELS_NAMED, callVendor, checkVendorKey, clamp } from './vendor-call.js';
import { RefusedParameters } from './refused-parameters.js';
import { unusableReply } from './vendor-errors.js';

const DEFAULT_BASE_URL = 'https://generativelanguage.googleapis.com';

const Part = z
  .object({
    text: z.string().optional().catch(undefined),
    thought: z.boolean().optional().catch(undefined),
  })
  .nullish()
  .catch(null);

/** An answer, or one event of a stream: anything may be missing, and what is odd says nothing. */
const Document = z.object({
  candidates: listOf(
    z
      .object({
        index: z.number().nullish().catch(null),
        content: z
          .object({ parts: listOf(Part).nullish().catch(null) })
          .nullish()
          .catch(null),
        finishReason: z.string().nullish().catch(null),
      })
      .nullish()
      .catch(null),
  )
    .nullish()
    .catch(null),
  promptFeedback: z
    .object({ blockReason: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
  usageMetadata: z
    .object({
      promptTokenCount: z.unknown().optional(),
      toolUsePromptTokenCount: z.unknown().optional(),
      candidatesTokenCount: z.unknown().optional(),
      /** Billed as output. */
      thoughtsTokenCount: z.unknown().optional(),
      totalTokenCount: z.unknown().optional(),
      /** Part of the prompt. */
      cachedContentTokenCount: z.unknown().optional(),
      serviceTier: z.string().nullish().catch(null),
    })
    .nullish()
    .catch(null),
  responseId: z.string().nullish().catch(null),
  modelVersion: z.string().optional().catch(undefined),
});

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
  const baseUrl = withoutTrailingSlashes(config.baseUrl ?? DEFAULT_BASE_URL);
  const refused = new RefusedParameters();
  return {
    name: 'google',
    complete: (call, options) =>
      callVendor('google', options, async (signal) => {
        const response = await refused.send(call.model, call.parameters, (parameters) =>
          send(baseUrl, { ...call, parameters }, { ...options, signal }),
        );
        return replyOf(call, response, options.onDelta);
      }),
    checkKey: (options) =>
      checkVendorKey('google', options, (signal) => listModels(baseUrl, options, signal)),
  };
}

/** The SDK reads its own spelling of server-sent events only, so it lends its types alone. */
async function send(
  baseUrl: string,
  call: ModelCall,
  { apiKey, signal, onDelta }: CallOptions,
): Promise<Response> {
  const isStreamed = onDelta !== undefined && call.parameters.streaming !== null;
  const method = isStreamed ? 'streamGenerateContent?alt=sse' : 'generateContent';
  const model = encodeURIComponent(call.model);
  const response = await fetch(`${baseUrl}/v1beta/models/${model}:${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': apiKey },
    body: JSON.stringify(requestOf(call)),
    redirect: 'error',
    signal,
  });
  if (!response.ok) {
    throw await failureOf(response);
  }
  return response;
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
    generationConfig: toGenerationConfig(call),
  };
}

/** `thinkingConfig` is younger than the package's types. */
type ThinkingGenerationConfig = GenerationConfig & {
  thinkingConfig?: { thinkingLevel?: string; thinkingBudget?: number };
};

function toGenerationConfig(call: ModelCall): ThinkingGenerationConfig {
  const { parameters, answer } = call;
  const { temperature, effort, thinkingBudget, structuredOutput } = parameters;
  const config: ThinkingGenerationConfig = {
    maxOutputTokens: call.maxTokens + parameters.thinkingTokens,
  };
  if (temperature !== null) {
    config.temperature = clamp(call.temperature, temperature);
  }
  if (effort !== null) {
    config.thinkingConfig = { thinkingLevel: effort };
  } else if (thinkingBudget !== null) {
    config.thinkingConfig = { thinkingBudget };
  }
  if (answer !== undefined && structuredOutput !== null) {
    config.responseMimeType = 'application/json';
    if (structuredOutput === 'json_schema') {
      config.responseSchema = GoogleSchema.parse(googleSchemaOf(answer.schema));
    }
  }
  return config;
}

/** @throws ModelCallError `model-unavailable`, `model-empty` */
async function replyOf(
  call: ModelCall,
  response: Response,
  onDelta: TakeText | undefined,
): Promise<ProviderReply> {
  const read = await readAnswer('google', response, { eventOf, onDelta });
  const { events } = read;
  const finishReason =
    events.findLast((event) => event.finishReason !== null)?.finishReason ?? null;
  const isRefused = events.some(({ isBlocked }) => isBlocked);
  const answer = {
    text: events.map(({ text }) => text).join(''),
    finishReason,
    isRefused,
    usage: usageOf(events, response.headers.get('x-gemini-service-tier')),
    responseModel: events.find(({ model }) => model !== undefined)?.model,
    requestId: events.find(({ id }) => id !== null)?.id ?? null,
  };
  const isWhole = !read.isStream && events.some(({ isCandidate }) => isCandidate);
  const isEnded = finishReason !== null || isRefused || read.isDone || isWhole;
  return toReplyIfEnded('google', call, { read, answer, isEnded });
}

type Event = ReturnType<typeof eventOf>;

const NOTHING: z.infer<typeof Document> = {};

/** One candidate was asked for. */
function isFirst(candidate: { readonly index?: number | null | undefined } | null | undefined) {
  return (candidate?.index ?? 0) === 0;
}

/** Not an empty reason, nor either spelling of the value that says nothing. */
function isBlock(reason: string | null | undefined): boolean {
  return !['', 'BLOCK_REASON_UNSPECIFIED', 'BLOCKED_REASON_UNSPECIFIED'].includes(reason ?? '');
}

function eventOf(document: unknown) {
  const read = Document.safeParse(document).data ?? NOTHING;
  const candidate = read.candidates?.find(isFirst);
  return {
    text: textOf(candidate?.content?.parts ?? []),
    isCandidate: candidate != null,
    finishReason: candidate?.finishReason ?? null,
    isBlocked: isBlock(read.promptFeedback?.blockReason),
    // some versions name a reason in every event, so none is known to be the last
    isLast: false,
    usage: read.usageMetadata,
    model: read.modelVersion,
    id: read.responseId ?? null,
  };
}

function textOf(parts: readonly z.infer<typeof Part>[]): string {
  return parts.map((part) => (part?.thought === true ? '' : (part?.text ?? ''))).join('');
}

/** Each event counts all tokens so far, or leaves a count out. */
function usageOf(events: readonly Event[], servedAs: string | null): StatedUsage {
  const last = (name: keyof NonNullable<Event['usage']>) =>
    lastStated(events.map(({ usage }) => usage?.[name]));
  const reasoning = last('thoughtsTokenCount');
  return {
    prompt: last('promptTokenCount'),
    morePrompt: [last('toolUsePromptTokenCount')],
    completion: last('candidatesTokenCount'),
    moreCompletion: [reasoning],
    total: last('totalTokenCount'),
    cacheRead: last('cachedContentTokenCount'),
    reasoning,
    serviceTiers: [servedAs, ...events.map(({ usage }) => usage?.serviceTier)],
  };
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

const Failure = z.object({
  error: z.looseObject({
    details: z.array(z.unknown()).optional().catch(undefined),
    message: z.string().optional().catch(undefined),
    status: z.string().optional().catch(undefined),
  }),
});

/** No error that explains itself is longer. */
const MAX_FAILURE_BYTES = 65_536;

/** In the form of the SDKs, so that one place sorts all errors. */
async function failureOf(response: Response) {
  const body = Failure.safeParse(parseJson(await readStart(response)));
  return Object.assign(new Error('google answered with an error'), {
    status: response.status,
    headers: response.headers,
    errorDetails: body.success ? (body.data.error.details ?? []) : [],
    error: body.success ? body.data.error : undefined,
  });
}

async function readStart(response: Response): Promise<string> {
  const body: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  let bytes = 0;
  let read = await body?.read();
  while (read?.value !== undefined && bytes < MAX_FAILURE_BYTES) {
    bytes += read.value.length;
    pieces.push(decoder.decode(read.value, { stream: true }));
    read = await body?.read();
  }
  await body?.cancel();
  return pieces.join('');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
