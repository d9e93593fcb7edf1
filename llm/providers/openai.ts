import type OpenAI from 'openai';
import type { ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { RemoteProvider } from '../../domain/agents/models.js';
import { strictSchemaOf } from './answer-schema.js';
import type {
  AnswerSchema,
  CallOptions,
  ModelCall,
  ModelParameters,
  Provider,
  ProviderReply,
  TakeText,
} from '../model.js';
import { isCountedBeside, lastStated, listOf, type StatedUsage } from './provider-answer.js';
import { readAnswer, toReplyIfEnded } from './provider-stream.js';
import {
  MODELS_NAMED,
  QUIET_SDK,
  baseUrlOf,
  callVendor,
  checkVendorKey,
  clamp,
} from './vendor-call.js';
import { RefusedParameters } from './refused-parameters.js';
import { unusableReply } from './vendor-errors.js';

/** A part of a text; of thoughts and tool calls `type` names another kind. */
const Part = z.union([
  z.string(),
  z.object({
    type: z.string().optional().catch(undefined),
    text: z.string().optional().catch(undefined),
    refusal: z.string().optional().catch(undefined),
  }),
]);
type Part = z.infer<typeof Part>;

/** A text, or as some servers send it, a list of parts, or one of them. */
const Content = z.union([z.string(), listOf(Part.catch('')), Part]);

const Message = z
  .object({
    content: Content.nullish().catch(null),
    refusal: z.string().nullish().catch(null),
  })
  .nullish()
  .catch(null);

const Choice = z
  .object({
    index: z.number().nullish().catch(null),
    finish_reason: z.string().nullish().catch(null),
    message: Message,
    delta: Message,
    error: z.unknown().optional(),
  })
  .catch({ index: null, finish_reason: null, message: null, delta: null });
type Choice = z.infer<typeof Choice>;

const Usage = z
  .object({
    prompt_tokens: z.unknown().optional(),
    completion_tokens: z.unknown().optional(),
    total_tokens: z.unknown().optional(),
    input_tokens: z.unknown().optional(),
    output_tokens: z.unknown().optional(),
    prompt_tokens_details: z
      .object({
        cached_tokens: z.unknown().optional(),
        cache_write_tokens: z.unknown().optional(),
      })
      .nullish()
      .catch(null),
    completion_tokens_details: z
      .object({ reasoning_tokens: z.unknown().optional() })
      .nullish()
      .catch(null),
  })
  .nullish()
  .catch(null);
type Usage = z.infer<typeof Usage>;

/** An answer, or one event of a stream: anything may be missing, and what is odd says nothing. */
const Document = z.object({
  model: z.string().optional().catch(undefined),
  choices: listOf(Choice).nullish().catch(null),
  usage: Usage,
  service_tier: z.string().nullish().catch(null),
  /** Where Groq states the usage of a stream. */
  x_groq: z.object({ usage: Usage }).nullish().catch(null),
});

const ModelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** Loaded at the first call, since it is slow, before that call's time limit starts. */
const loadSdk = async () => (await import('openai')).default;

/** Where a call goes, and by which connections; absent: OpenAI itself, by Node's own. */
interface Destination {
  readonly baseUrl?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
}

/** @param config `baseUrl` ends in `/v1` */
export function createOpenAi(config: { baseUrl?: string | undefined } = {}): Provider {
  return createCompatible('openai', () => config);
}

/** @param locate says where a call goes */
export function createCompatible(
  name: RemoteProvider,
  locate: (options: CallOptions) => Destination,
  refused = new RefusedParameters(),
): Provider {
  const clientFor = (Sdk: typeof OpenAI, options: CallOptions) => {
    const { baseUrl, fetch: send } = locate(options);
    return new Sdk({
      ...QUIET_SDK,
      ...baseUrlOf(baseUrl),
      ...(send === undefined ? {} : { fetch: send }),
      apiKey: options.apiKey,
      timeout: options.timeoutMs,
    });
  };
  return {
    name,
    complete: async (call, options) => {
      const Sdk = await loadSdk();
      return callVendor(name, options, async (signal) => {
        const { completions } = clientFor(Sdk, options).chat;
        const response = await refused.send(
          nameInMemory(call, options),
          call.parameters,
          (parameters) => {
            const isStreamed = options.onDelta !== undefined;
            const body = toBody({ ...call, parameters }, isStreamed);
            return completions.create(body, { signal }).asResponse();
          },
        );
        return replyOf(name, call, response, options.onDelta);
      });
    },
    checkKey: async (options) => {
      const Sdk = await loadSdk();
      return checkVendorKey(name, options, async (signal) => {
        const page = await clientFor(Sdk, options).models.list({ signal });
        const listed = ModelList.safeParse({ data: page.data });
        if (!listed.success) {
          throw unusableReply(name);
        }
        return listed.data.data.slice(0, MODELS_NAMED).map(({ id }) => id);
      });
    },
  };
}

/** As what a server refuses is remembered. */
export function nameInMemory(
  { model }: Pick<ModelCall, 'model'>,
  { endpoint }: Pick<CallOptions, 'endpoint'>,
): string {
  return `${endpoint?.id ?? ''} ${model}`;
}

function toBody(call: ModelCall, isStreamed: boolean): ChatCompletionCreateParamsBase {
  const { parameters } = call;
  const { temperature, effort } = parameters;
  const body: ChatCompletionCreateParamsBase = {
    model: call.model,
    messages: [...call.messages],
    [parameters.outputCap]: call.maxTokens + parameters.thinkingTokens,
  };
  if (temperature !== null) {
    body.temperature = clamp(call.temperature, temperature);
  }
  if (effort !== null) {
    body.reasoning_effort = effort;
  }
  if (call.answer !== undefined) {
    setAnswerFormat(body, call.answer, parameters);
  }
  if (isStreamed && parameters.streaming !== null) {
    body.stream = true;
    if (parameters.streaming === 'with-usage') {
      body.stream_options = { include_usage: true };
    }
  }
  return body;
}

function setAnswerFormat(
  body: ChatCompletionCreateParamsBase,
  { name, schema }: AnswerSchema,
  { structuredOutput }: ModelParameters,
): void {
  if (structuredOutput === 'json_schema') {
    body.response_format = {
      type: 'json_schema',
      json_schema: { name, strict: true, schema: strictSchemaOf(schema) },
    };
  } else if (structuredOutput === 'json_object') {
    body.response_format = { type: 'json_object' };
  }
}

/** @throws ModelCallError `model-unavailable`, `model-empty` */
async function replyOf(
  name: RemoteProvider,
  call: ModelCall,
  response: Response,
  onDelta: TakeText | undefined,
): Promise<ProviderReply> {
  const read = await readAnswer(name, response, { eventOf, onDelta });
  const { events } = read;
  const finishReason =
    events.findLast((event) => event.finishReason !== null)?.finishReason ?? null;
  const refusal = events.map((event) => event.refusal).join('');
  const answer = {
    text: events.map(({ text }) => text).join(''),
    finishReason,
    isRefused: refusal.trim() !== '',
    usage: usageOf(events),
    responseModel: events.find(({ model }) => model !== undefined)?.model,
    requestId: response.headers.get('x-request-id'),
  };
  // a stream that names no reason has ended only where its end mark came
  const isEnded =
    finishReason !== null ||
    (read.isStream ? read.isDone : events.some(({ isChoice }) => isChoice));
  return toReplyIfEnded(name, call, { read, answer, isEnded });
}

type Event = ReturnType<typeof eventOf>;

const NOTHING: z.infer<typeof Document> = {};

function eventOf(document: unknown) {
  const { model, choices, usage, x_groq, service_tier } =
    Document.safeParse(document).data ?? NOTHING;
  const choice = choices?.find(({ index }) => index == null || index === 0); // one was asked for
  const said = saidBy(choice);
  return {
    model,
    isChoice: choice !== undefined,
    ...said,
    usage: usage ?? x_groq?.usage,
    serviceTier: service_tier,
    error: choice?.error,
    // some gateways name a reason in every event: one with a text need not be the last
    isLast:
      said.text === '' && (said.finishReason !== null || (choice === undefined && usage != null)),
  };
}

/** A server that repeats the whole message at the end of its stream sends a delta as well. */
function saidBy(choice: Choice | undefined) {
  const message = choice?.delta ?? choice?.message;
  const parts = partsOf(message?.content);
  return {
    text: parts.map(textOf).join(''),
    refusal: `${message?.refusal ?? ''}${parts.map(refusalOf).join('')}`,
    finishReason: reasonOf(choice?.finish_reason ?? ''),
  };
}

function partsOf(content: z.infer<typeof Content> | null | undefined): readonly Part[] {
  return Array.isArray(content) ? content : [content ?? ''];
}

function reasonOf(stated: string): string | null {
  const reason = stated.trim();
  return reason === '' || reason === 'null' ? null : reason;
}

const TEXTS: readonly (string | undefined)[] = ['text', 'output_text', undefined];

function textOf(part: Part): string {
  return typeof part === 'string' ? part : TEXTS.includes(part.type) ? (part.text ?? '') : '';
}

function refusalOf(part: Part): string {
  return typeof part === 'string' ? '' : (part.refusal ?? '');
}

/** Cached and written tokens are part of the prompt, thoughts of the completion. */
function usageOf(events: readonly Event[]): StatedUsage {
  const usages = events.map(({ usage }) => usage);
  const last = (read: (usage: NonNullable<Usage>) => unknown) =>
    lastStated(usages.map((usage) => (usage == null ? undefined : read(usage))));
  const stated = {
    prompt: last((usage) => usage.prompt_tokens) ?? last((usage) => usage.input_tokens),
    completion: last((usage) => usage.completion_tokens) ?? last((usage) => usage.output_tokens),
    total: last((usage) => usage.total_tokens),
  };
  const reasoning = last((usage) => usage.completion_tokens_details?.reasoning_tokens);
  return {
    ...stated,
    // some servers count thoughts beside the completion, as their total shows
    moreCompletion: isCountedBeside(reasoning, stated) ? [reasoning] : [],
    cacheRead: last((usage) => usage.prompt_tokens_details?.cached_tokens),
    cacheWrite: last((usage) => usage.prompt_tokens_details?.cache_write_tokens),
    reasoning,
    serviceTiers: events.map(({ serviceTier }) => serviceTier),
  };
}
