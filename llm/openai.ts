import type OpenAI from 'openai';
import type { ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, ProviderReply, TakeText } from './model.js';
import { NOT_STATED, listOf, type StatedUsage } from './provider-answer.js';
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

/** A text, or as some servers send it, a list of parts. */
const Content = z.union([
  z.string(),
  listOf(z.looseObject({ text: z.string().optional().catch(undefined) })),
]);

const Message = z
  .object({
    content: Content.nullish().catch(null),
    refusal: z.string().nullish().catch(null),
  })
  .nullish()
  .catch(null);

const Choice = z
  .object({ finish_reason: z.string().nullish().catch(null), message: Message, delta: Message })
  .catch({ finish_reason: null, message: null, delta: null });
type Choice = z.infer<typeof Choice>;

/** An answer, or one event of a stream: anything may be missing, and what is odd says nothing. */
const Document = z.object({
  model: z.string().optional().catch(undefined),
  choices: listOf(Choice).nullish().catch(null),
  usage: z
    .object({
      prompt_tokens: z.unknown().optional(),
      completion_tokens: z.unknown().optional(),
      total_tokens: z.unknown().optional(),
    })
    .nullish()
    .catch(null),
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
    isRefused: refusal !== '',
    usage: events.findLast(({ usage }) => usage !== null)?.usage ?? NOT_STATED,
    responseModel: events.find(({ model }) => model !== undefined)?.model,
    requestId: response.headers.get('x-request-id'),
  };
  // a stream that names no reason has ended only where its end mark came
  const isEnded =
    finishReason !== null ||
    (read.isStream ? read.isDone : events.some(({ isChoice }) => isChoice));
  return toReplyIfEnded('openai', call, { read, answer, isEnded });
}

const NOTHING = { model: undefined, choices: null, usage: null };

function eventOf(document: unknown) {
  const { model, choices, usage } = Document.safeParse(document).data ?? NOTHING;
  const [choice] = choices ?? [];
  return { model, isChoice: choice !== undefined, ...saidBy(choice), usage: usageOf(usage) };
}

function saidBy(choice: Choice | undefined) {
  const message = choice?.message ?? choice?.delta;
  return {
    text: textOf(message?.content),
    refusal: message?.refusal ?? '',
    finishReason: choice?.finish_reason ?? null,
  };
}

function usageOf(usage: z.infer<typeof Document>['usage']): StatedUsage | null {
  return usage == null
    ? null
    : {
        prompt: usage.prompt_tokens,
        completion: usage.completion_tokens,
        total: usage.total_tokens,
      };
}

function textOf(content: z.infer<typeof Content> | null | undefined): string {
  return typeof content === 'string'
    ? content
    : (content ?? []).map(({ text }) => text ?? '').join('');
}
