import type OpenAI from 'openai';
import type { ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { ModelReply } from '../domain/models.js';
import { strictSchemaOf } from './answer-schema.js';
import type { CallOptions, ModelCall, Provider, TakeText } from './model.js';
import { isReasoningModel } from './registry.js';
import {
  MODELS_NAMED,
  QUIET_SDK,
  baseUrlOf,
  callVendor,
  checkVendorKey,
  clamp,
  readVendorStream,
} from './vendor-call.js';
import { unusableReply } from './vendor-errors.js';

const Reply = z.object({
  model: z.string().optional().catch(undefined),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }),
});

/** One event of a stream; the last one has no choice, and the usage of all. */
const Chunk = z
  .object({
    model: z.string().optional().catch(undefined),
    choices: z.array(
      z.object({
        finish_reason: z.string().nullish(),
        delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    ),
    usage: z.unknown().optional(),
  })
  .transform(({ model, choices: [choice], usage }) => ({
    model,
    text: choice?.delta.content ?? '',
    refusal: choice?.delta.refusal ?? '',
    finishReason: choice?.finish_reason ?? null,
    usage: usage ?? null,
  }));

const ModelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** At the first call, since it is slow, and before that call's time runs. */
const loadSdk = async () => (await import('openai')).default;

/** @param config `baseUrl` ends in `/v1`; also how an OpenAI-compatible server is reached. */
export function createOpenAi(config: { baseUrl?: string | undefined } = {}): Provider {
  const clientFor = (Sdk: typeof OpenAI, { apiKey, timeoutMs }: CallOptions) =>
    new Sdk({ ...QUIET_SDK, ...baseUrlOf(config.baseUrl), apiKey, timeout: timeoutMs });
  return {
    name: 'openai',
    complete: async (call, options) => {
      const Sdk = await loadSdk();
      return callVendor('openai', options, async (signal) => {
        const { completions } = clientFor(Sdk, options).chat;
        const params = paramsOf(call);
        if (options.onDelta === undefined) {
          const { data, request_id } = await completions.create(params, { signal }).withResponse();
          return replyOf(call, data, request_id);
        }
        const { data, request_id } = await completions
          .create({ ...params, ...STREAMED }, { signal })
          .withResponse();
        return replyOf(call, await readStream(data, options.onDelta), request_id);
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

/** @returns the whole answer, as it comes without a stream. @throws `model-unavailable` */
async function readStream(chunks: AsyncIterable<unknown>, onDelta: TakeText): Promise<unknown> {
  const events = await readVendorStream('openai', { events: chunks, schema: Chunk }, onDelta);
  const end = events.findLast(({ finishReason }) => finishReason !== null);
  if (end === undefined) {
    throw unusableReply('openai'); // it ended in the middle
  }
  const content = events.map(({ text }) => text).join('');
  const refusal = events.map((event) => event.refusal).join('');
  const message = { content, refusal: refusal === '' ? null : refusal };
  return {
    model: end.model,
    choices: [{ finish_reason: end.finishReason, message }],
    usage: events.findLast(({ usage }) => usage !== null)?.usage,
  };
}

function paramsOf(call: ModelCall): Omit<ChatCompletionCreateParamsBase, 'stream'> {
  return {
    model: call.model,
    messages: [...call.messages],
    max_completion_tokens: call.maxTokens,
    // Reasoning would eat the tokens that were asked for as text.
    ...(isReasoningModel(call.model)
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

function replyOf(call: ModelCall, data: unknown, requestId: string | null): ModelReply {
  const parsed = Reply.safeParse(data);
  const choice = parsed.data?.choices[0];
  if (!parsed.success || choice === undefined) {
    throw unusableReply('openai');
  }
  const isRefused = choice.finish_reason === 'content_filter' || choice.message.refusal != null;
  return {
    content: isRefused ? '' : (choice.message.content ?? ''),
    provider: 'openai',
    model: call.model,
    responseModel: parsed.data.model,
    usage: {
      promptTokens: parsed.data.usage.prompt_tokens,
      completionTokens: parsed.data.usage.completion_tokens,
    },
    finish: isRefused ? 'refused' : choice.finish_reason === 'length' ? 'length' : 'stop',
    requestId,
  };
}
