import type Anthropic from '@anthropic-ai/sdk';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import { z } from 'zod';
import type { ModelReply } from '../domain/models.js';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, TakeText } from './model.js';
import {
  QUIET_SDK,
  baseUrlOf,
  callVendor,
  checkVendorKey,
  clamp,
  readVendorStream,
} from './vendor-call.js';
import { isReasoningModel } from './registry.js';
import { unusableReply } from './vendor-errors.js';

const Reply = z.object({
  model: z.string().optional().catch(undefined),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  stop_reason: z.string().nullish(),
  usage: z.object({
    input_tokens: z.number(),
    output_tokens: z.number(),
    cache_creation_input_tokens: z.number().nullish(),
    cache_read_input_tokens: z.number().nullish(),
  }),
});

/** One event of a stream; those of other kinds have none of these fields. */
const StreamEvent = z
  .object({
    type: z.string(),
    message: z
      .object({ model: z.string().optional().catch(undefined), usage: z.looseObject({}) })
      .optional(),
    content_block: z.object({ text: z.string().optional() }).optional(),
    delta: z.object({ text: z.string().optional(), stop_reason: z.string().nullish() }).optional(),
    usage: z.looseObject({}).optional(),
  })
  .transform(({ type, message, content_block, delta, usage }) => ({
    model: message?.model,
    text: content_block?.text ?? delta?.text ?? '',
    isBlock: content_block !== undefined,
    stopReason: delta?.stop_reason ?? null,
    usage: { ...message?.usage, ...usage },
    isEnd: type === 'message_stop',
  }));

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
        const [client, params] = [clientFor(Sdk, options), paramsOf(call)];
        if (options.onDelta === undefined) {
          const { data, request_id } = await send(client, params, signal);
          return replyOf(call, data, request_id ?? null);
        }
        const { data, request_id } = await sendForStream(client, params, signal);
        const whole = await readStream(data, options.onDelta);
        return replyOf(call, whole, request_id ?? null);
      });
    },
    checkKey: async (options) => {
      const Sdk = await loadSdk();
      return checkVendorKey('anthropic', options, async (signal) => {
        const smallest = { role: 'user' as const, content: 'ping' };
        const params = { model: CHECKED_WITH, max_tokens: 1, messages: [smallest] };
        await send(clientFor(Sdk, options), params, signal);
        return MODELS_OF_A_VALID_KEY;
      });
    },
  };
}

/** As `messages.create` sends it, which also prints a warning per call for ageing models. */
function send(client: Anthropic, body: Params, signal: AbortSignal) {
  return client.post<unknown>('/v1/messages', { body, signal }).withResponse();
}

function sendForStream(client: Anthropic, params: Params, signal: AbortSignal) {
  const body = { ...params, stream: true };
  return client
    .post<AsyncIterable<unknown>>('/v1/messages', { body, signal, stream: true })
    .withResponse();
}

/** @returns the whole message, as it comes without a stream. @throws `model-unavailable` */
async function readStream(stream: AsyncIterable<unknown>, onDelta: TakeText): Promise<unknown> {
  const events = await readVendorStream(
    'anthropic',
    { events: stream, schema: StreamEvent },
    onDelta,
  );
  if (events.at(-1)?.isEnd !== true) {
    throw unusableReply('anthropic'); // it ended in the middle
  }
  // the counts of the end replace those of the start, where it gives them
  const counts = events.flatMap(({ usage }) => Object.entries(usage));
  return {
    model: events.find(({ model }) => model !== undefined)?.model,
    content: events
      .filter(({ text, isBlock }) => isBlock || text !== '')
      .map(({ text }) => ({ type: 'text', text })),
    stop_reason: events.findLast(({ stopReason }) => stopReason !== null)?.stopReason,
    usage: Object.fromEntries(counts.filter(([, count]) => count !== null)),
  };
}

/** The SDK's types no longer know `temperature`; the API takes it for models that do not reason. */
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
    ...(isReasoningModel(call.model) ? {} : { temperature: clamp(call.temperature, [0, 1]) }),
    ...(call.answer === undefined
      ? {}
      : {
          output_config: {
            format: { type: 'json_schema', schema: strictSchemaOf(call.answer.schema) },
          },
        }),
  };
}

function replyOf(call: ModelCall, data: unknown, requestId: string | null): ModelReply {
  const parsed = Reply.safeParse(data);
  if (!parsed.success) {
    throw unusableReply('anthropic');
  }
  const { content, stop_reason, usage } = parsed.data;
  const finish = finishOf(stop_reason);
  if (content.length === 0 && finish === 'stop') {
    throw unusableReply('anthropic');
  }
  const text = content.map((block) => (block.type === 'text' ? (block.text ?? '') : '')).join('');
  return {
    content: finish === 'refused' ? '' : text,
    provider: 'anthropic',
    model: call.model,
    responseModel: parsed.data.model,
    usage: {
      promptTokens:
        usage.input_tokens +
        (usage.cache_creation_input_tokens ?? 0) +
        (usage.cache_read_input_tokens ?? 0),
      completionTokens: usage.output_tokens,
    },
    finish,
    requestId,
  };
}

function finishOf(reason: string | null | undefined): ModelReply['finish'] {
  if (reason === 'refusal') {
    return 'refused';
  }
  return reason === 'max_tokens' || reason === 'model_context_window_exceeded' ? 'length' : 'stop';
}
