import type OpenAI from 'openai';
import type { ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, ProviderReply, TakeText } from '../model.js';
import { lastStated, listOf, type StatedUsage } from './provider-answer.js';
import { readAnswer, toReplyIfEnded } from './provider-stream.js';
import {
  MODELS_NAMED,
  QUIET_SDK,
  baseUrlOf,
  callVendor,
  checkVendorKey,
  clamp,
} from './vendor-call.js';
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
  })
  .nullish()
  .catch(null);
type Usage = z.infer<typeof Usage>;

/** An answer, or one event of a stream: anything may be missing, and what is odd says nothing. */
const Document = z.object({
  model: z.string().optional().catch(undefined),
  choices: listOf(Choice).nullish().catch(null),
  usage: Usage,
  /** Where Groq states the usage of a stream. */
  x_groq: z.object({ usage: Usage }).nullish().catch(null),
});

const ModelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** At the first call, since it is slow, and before that call's time runs. */
const loadSdk = async () => (await import('openai')).default;

/** @param config `baseUrl` ends in `/v1`; also how an OpenAI-compatible server is reached. */
export function createOpenAi(config: { baseUrl?: string | undefined } = {}): Provider {
  const clientFor = (Sdk: typeof OpenAI, { apiKey, timeoutMs }: CallOptions) =>
    new Sdk({ ...QUIET_SDK, ...baseUrlOf(config.baseUrl), apiKey, timeout: timeoutMs });
  let cap: Cap = 'max_completion_tokens';
  return {
    name: 'openai',
    complete: async (call, options) => {
      const Sdk = await loadSdk();
      return callVendor('openai', options, async (signal) => {
        const { completions } = clientFor(Sdk, options).chat;
        const send = () => {
          const params = { ...paramsOf(call, cap), ...(options.onDelta ? STREAMED : {}) };
          return completions.create(params, { signal }).asResponse();
        };
        const response = await send().catch((error: unknown) => {
          if (cap === 'max_tokens' || !refusesCap(error)) {
            throw error;
          }
          cap = 'max_tokens';
          return send();
        });
        return replyOf(call, response, options.onDelta);
      });
    },
    checkKey: async (options) => {
      const Sdk = await loadSdk();
      return checkVendorKey('openai', options, async (signal) => {
        const page = await clientFor(Sdk, options).models.list({ signal });
        const listed = ModelList.safeParse({ data: page.data });
        if (!listed.success) {
          throw unusableReply('openai');
        }
        return listed.data.data.slice(0, MODELS_NAMED).map(({ id }) => id);
      });
    },
  };
}

const STREAMED = { stream: true, stream_options: { include_usage: true } } as const;

/** What a server calls the upper bound of a reply: compatible ones know the older name only. */
type Cap = 'max_completion_tokens' | 'max_tokens';

function refusesCap(error: unknown): boolean {
  const isRefusal =
    error instanceof Error && 'status' in error && [400, 422].includes(Number(error.status));
  return isRefusal && error.message.slice(0, 1_000).includes('max_completion_tokens');
}

function paramsOf(call: ModelCall, cap: Cap): Omit<ChatCompletionCreateParamsBase, 'stream'> {
  return {
    model: call.model,
    messages: [...call.messages],
    [cap]: call.maxTokens,
    // Reasoning would eat the tokens that were asked for as text.
    ...(call.isReasoning === true
      ? { reasoning_effort: 'none' as const }
      : { temperature: clamp(call.temperature, [0, 2]) }),
    ...(call.answer === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema' as const,
            json_schema: {
              name: call.answer.name,
              strict: true,
              schema: strictSchemaOf(call.answer.schema),
            },
          },
        }),
  };
}

/** @throws ModelCallError `model-unavailable`, `model-empty` */
async function replyOf(
  call: ModelCall,
  response: Response,
  onDelta: TakeText | undefined,
): Promise<ProviderReply> {
  const read = await readAnswer('openai', response, { eventOf, onDelta });
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
  return toReplyIfEnded('openai', call, { read, answer, isEnded });
}

type Event = ReturnType<typeof eventOf>;

const NOTHING: z.infer<typeof Document> = {};

function eventOf(document: unknown) {
  const { model, choices, usage, x_groq } = Document.safeParse(document).data ?? NOTHING;
  const choice = choices?.find(({ index }) => index == null || index === 0); // one was asked for
  const said = saidBy(choice);
  return {
    model,
    isChoice: choice !== undefined,
    ...said,
    usage: usage ?? x_groq?.usage,
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

function usageOf(events: readonly Event[]): StatedUsage {
  const last = (name: keyof NonNullable<Usage>) =>
    lastStated(events.map((event) => event.usage?.[name]));
  return {
    prompt: last('prompt_tokens') ?? last('input_tokens'),
    completion: last('completion_tokens') ?? last('output_tokens'),
    total: last('total_tokens'),
  };
}
