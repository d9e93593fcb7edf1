import type Anthropic from '@anthropic-ai/sdk';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import { z } from 'zod';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, ProviderReply, TakeText } from '../model.js';
import { lastStated, listOf } from './provider-answer.js';
import { readAnswer, toReplyIfEnded } from './provider-stream.js';
import { QUIET_SDK, baseUrlOf, callVendor, checkVendorKey, clamp } from './vendor-call.js';
import { unusableReply } from './vendor-errors.js';

const Usage = z
  .object({
    input_tokens: z.unknown().optional(),
    output_tokens: z.unknown().optional(),
    cache_creation_input_tokens: z.unknown().optional(),
    cache_read_input_tokens: z.unknown().optional(),
  })
  .nullish()
  .catch(null);

const Block = z
  .object({
    type: z.string().optional().catch(undefined),
    text: z.string().optional().catch(undefined),
  })
  .nullish()
  .catch(null);

/** A message, or one event of a stream: anything may be missing, and what is odd says nothing. */
const Document = z.object({
  type: z.string().optional().catch(undefined),
  model: z.string().optional().catch(undefined),
  content: z
    .union([z.string(), listOf(Block)])
    .nullish()
    .catch(null),
  stop_reason: z.string().nullish().catch(null),
  message: z
    .object({ model: z.string().optional().catch(undefined), usage: Usage })
    .nullish()
    .catch(null),
  content_block: Block,
  delta: z
    .object({
      type: z.string().optional().catch(undefined),
      text: z.string().optional().catch(undefined),
      stop_reason: z.string().nullish().catch(null),
    })
    .nullish()
    .catch(null),
  usage: Usage,
});

/** Source: contract, pipeline §7. */
const CHECKED_WITH = 'claude-haiku-4-5-20251001';
const MODELS_OF_A_VALID_KEY = [CHECKED_WITH, 'claude-sonnet-4-6', 'claude-opus-4-6'] as const;

/** At the first call, since it is slow, and before that call's time runs. */
const loadSdk = async () => (await import('@anthropic-ai/sdk')).default;

/** @param config `baseUrl` without a version */
export function createAnthropic(config: { baseUrl?: string | undefined } = {}): Provider {
  const clientFor = (Sdk: typeof Anthropic, { apiKey, timeoutMs }: CallOptions) =>
    new Sdk({
      ...QUIET_SDK,
      ...baseUrlOf(config.baseUrl),
      openTelemetry: false,
      apiKey,
      timeout: timeoutMs,
    });
  return {
    name: 'anthropic',
    complete: async (call, options) => {
      const Sdk = await loadSdk();
      return callVendor('anthropic', options, async (signal) => {
        const body = { ...paramsOf(call), ...(options.onDelta ? { stream: true } : {}) };
        const response = await send(clientFor(Sdk, options), body, signal);
        return replyOf(call, response, options.onDelta);
      });
    },
    checkKey: async (options) => {
      const Sdk = await loadSdk();
      return checkVendorKey('anthropic', options, async (signal) => {
        const smallest = { role: 'user' as const, content: 'ping' };
        const params = { model: CHECKED_WITH, max_tokens: 1, messages: [smallest] };
        const response = await send(clientFor(Sdk, options), params, signal);
        const { error, events } = await readAnswer('anthropic', response, { eventOf });
        if (error !== null || !events.some(({ isLast }) => isLast)) {
          throw error ?? unusableReply('anthropic');
        }
        return MODELS_OF_A_VALID_KEY;
      });
    },
  };
}

/** As `messages.create` sends it, which also prints a warning per call for ageing models. */
function send(client: Anthropic, body: Params, signal: AbortSignal): Promise<Response> {
  return client.post<unknown>('/v1/messages', { body, signal }).asResponse();
}

type Params = Omit<MessageCreateParamsBase, 'stream'> & { readonly temperature?: number };

function paramsOf(call: ModelCall): Params {
  const system = call.messages.filter(({ role }) => role === 'system');
  return {
    model: call.model,
    max_tokens: call.maxTokens,
    messages: call.messages.flatMap(({ role, content }) =>
      role === 'system' ? [] : [{ role, content }],
    ),
    ...(system.length === 0 ? {} : { system: system.map(({ content }) => content).join('\n\n') }),
    ...(call.isReasoning === true ? {} : { temperature: clamp(call.temperature, [0, 1]) }),
    ...(call.answer === undefined
      ? {}
      : {
          output_config: {
            format: { type: 'json_schema', schema: strictSchemaOf(call.answer.schema) },
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
  const read = await readAnswer('anthropic', response, { eventOf, onDelta });
  const { events } = read;
  const finishReason = events.findLast((event) => event.stopReason !== null)?.stopReason ?? null;
  const answer = {
    text: events.map(({ text }) => text).join(''),
    finishReason,
    isRefused: false,
    usage: usageOf(events),
    responseModel: events.find(({ model }) => model !== undefined)?.model,
    requestId: response.headers.get('request-id'),
  };
  const isEnded = finishReason !== null || events.some((event) => event.isEnd);
  return toReplyIfEnded('anthropic', call, { read, answer, isEnded });
}

type Event = ReturnType<typeof eventOf>;

const NOTHING: z.infer<typeof Document> = {};

function eventOf(document: unknown) {
  const read = Document.safeParse(document).data ?? NOTHING;
  const { type, message, delta, content } = read;
  const stopReason = delta?.stop_reason ?? read.stop_reason ?? null;
  const isEnd = type === 'message_stop' || content != null;
  return {
    model: message?.model ?? read.model,
    text: textOf(read),
    stopReason,
    start: message?.usage,
    usage: read.usage,
    isEnd,
    isLast: stopReason !== null || isEnd,
  };
}

function textOf({ type, content, content_block, delta }: z.infer<typeof Document>): string {
  if (typeof content === 'string') {
    return content;
  }
  switch (type) {
    case 'content_block_start':
      return textOfBlock(content_block);
    case 'content_block_delta':
      return delta?.type === undefined || delta.type === 'text_delta' ? (delta?.text ?? '') : '';
    default:
      return (content ?? []).map(textOfBlock).join('');
  }
}

function textOfBlock(block: z.infer<typeof Block>): string {
  return block?.type === 'text' ? (block.text ?? '') : '';
}

/**
 * A stream states its input when it starts, and again at its end or not; what it has written counts
 * at its end only.
 */
function usageOf(events: readonly Event[]) {
  const stated = events.flatMap(({ start, usage }) => [start, usage]);
  const last = (name: keyof NonNullable<Event['usage']>) =>
    lastStated(stated.map((usage) => usage?.[name]));
  return {
    prompt: last('input_tokens'),
    morePrompt: [last('cache_creation_input_tokens'), last('cache_read_input_tokens')],
    completion: lastStated(events.map(({ usage }) => usage?.output_tokens)),
  };
}
