import type Anthropic from '@anthropic-ai/sdk';
import type { MessageCreateParamsBase, OutputConfig } from '@anthropic-ai/sdk/resources/messages';
import { z } from 'zod';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, ProviderReply, TakeText } from '../model.js';
import { lastStated, listOf, subtract, type StatedUsage } from './provider-answer.js';
import { readAnswer, toReplyIfEnded } from './provider-stream.js';
import { QUIET_SDK, baseUrlOf, callVendor, checkVendorKey, clamp } from './vendor-call.js';
import { RefusedParameters } from './refused-parameters.js';
import { unusableReply } from './vendor-errors.js';

const Usage = z
  .object({
    input_tokens: z.unknown().optional(),
    output_tokens: z.unknown().optional(),
    cache_creation_input_tokens: z.unknown().optional(),
    cache_read_input_tokens: z.unknown().optional(),
    cache_creation: z
      .object({
        ephemeral_5m_input_tokens: z.unknown().optional(),
        ephemeral_1h_input_tokens: z.unknown().optional(),
      })
      .nullish()
      .catch(null),
    output_tokens_details: z
      .object({ thinking_tokens: z.unknown().optional() })
      .nullish()
      .catch(null),
    service_tier: z.string().nullish().catch(null),
    speed: z.string().nullish().catch(null),
    inference_geo: z.string().nullish().catch(null),
  })
  .nullish()
  .catch(null);

type Usage = NonNullable<z.infer<typeof Usage>>;

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

/** Loaded at the first call, since it is slow, before that call's time limit starts. */
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
  const refused = new RefusedParameters();
  return {
    name: 'anthropic',
    complete: async (call, options) => {
      const Sdk = await loadSdk();
      return callVendor('anthropic', options, async (signal) => {
        const client = clientFor(Sdk, options);
        const response = await refused.send(call.model, call.parameters, (parameters) => {
          const isStreamed = options.onDelta !== undefined;
          return send(client, toBody({ ...call, parameters }, isStreamed), signal);
        });
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

/** The SDK's types of the newest models know no temperature. */
type Params = MessageCreateParamsBase & { temperature?: number };

function toBody(call: ModelCall, isStreamed: boolean): Params {
  const { parameters } = call;
  const { temperature, thinkingBudget } = parameters;
  const system = call.messages.filter(({ role }) => role === 'system');
  const body: Params = {
    model: call.model,
    max_tokens: call.maxTokens + parameters.thinkingTokens,
    messages: call.messages.flatMap(({ role, content }) =>
      role === 'system' ? [] : [{ role, content }],
    ),
  };
  if (system.length > 0) {
    body.system = system.map(({ content }) => content).join('\n\n');
  }
  if (temperature !== null) {
    body.temperature = clamp(call.temperature, temperature);
  }
  if (thinkingBudget !== null) {
    body.thinking =
      thinkingBudget === 0
        ? { type: 'disabled' }
        : { type: 'enabled', budget_tokens: thinkingBudget };
  }
  const config = toOutputConfig(call);
  if (Object.keys(config).length > 0) {
    body.output_config = config;
  }
  if (isStreamed && parameters.streaming !== null) {
    body.stream = true;
  }
  return body;
}

function toOutputConfig({ parameters, answer }: ModelCall): OutputConfig {
  const config: OutputConfig = {};
  const effort = Effort.safeParse(parameters.effort);
  if (effort.success) {
    config.effort = effort.data;
  }
  if (answer !== undefined && parameters.structuredOutput !== null) {
    config.format = { type: 'json_schema', schema: strictSchemaOf(answer.schema) };
  }
  return config;
}

/** The words of `EFFORTS` that Anthropic's models know. */
const Effort = z.enum(['low', 'medium', 'high', 'xhigh', 'max']);

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
 * at its end only. Cached tokens stand beside `input_tokens`. Source: platform.claude.com, prompt caching.
 */
function usageOf(events: readonly Event[]): StatedUsage {
  const usages = events.flatMap(({ start, usage }) => [start, usage]);
  const last = (read: (usage: Usage) => unknown) =>
    lastStated(usages.map((usage) => (usage == null ? undefined : read(usage))));
  const cacheRead = last((usage) => usage.cache_read_input_tokens);
  const cacheWrite1h = last((usage) => usage.cache_creation?.ephemeral_1h_input_tokens);
  const written = last((usage) => usage.cache_creation_input_tokens);
  const written5m = last((usage) => usage.cache_creation?.ephemeral_5m_input_tokens);
  // what is not said to be kept for an hour is kept for five minutes
  const cacheWrite = subtract(written, cacheWrite1h) ?? written5m;
  return {
    prompt: last((usage) => usage.input_tokens),
    morePrompt: [cacheRead, cacheWrite, cacheWrite1h],
    completion: lastStated(events.map(({ usage }) => usage?.output_tokens)),
    cacheRead,
    cacheWrite,
    cacheWrite1h,
    reasoning: lastStated(events.map(({ usage }) => usage?.output_tokens_details?.thinking_tokens)),
    serviceTiers: usages.flatMap((usage) => [
      usage?.service_tier,
      usage?.speed,
      toGeoTier(usage?.inference_geo),
    ]),
  };
}

/** Inference that is kept in one region costs more. */
function toGeoTier(geo: string | null | undefined): string | null {
  return geo == null || ['', 'global', 'not_available'].includes(geo) ? null : `geo-${geo}`;
}
