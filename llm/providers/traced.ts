/**
 * Each call of a vendor as a span, under the names of OpenTelemetry's semantic conventions for
 * generative AI. Source: github.com/open-telemetry/semantic-conventions, v1.37.0,
 * docs/gen-ai/gen-ai-spans.md.
 */
import type { ModelReply, ProviderName } from '../../domain/agents/models.js';
import { logScope } from '../../telemetry/log-scope.js';
import { maskText } from '../../telemetry/logger.js';
import type { Attributes, Tracing } from '../../telemetry/tracing.js';
import { billingContext } from '../billing/billing-context.js';
import type { ModelCall, Provider, ProviderReply } from '../model.js';

export interface TracedOptions {
  readonly tracing: Tracing;
  /** Whether prompts and answers are part of the span: texts of users, pages and models. */
  readonly captureContent: boolean;
}

/** `gen_ai.provider.name` and `gen_ai.operation.name` as the conventions know them. */
const KNOWN_AS: Readonly<Record<ProviderName, { name: string; operation: string }>> = {
  openai: { name: 'openai', operation: 'chat' },
  anthropic: { name: 'anthropic', operation: 'chat' },
  google: { name: 'gcp.gemini', operation: 'generate_content' },
  endpoint: { name: 'agentforge.endpoint', operation: 'chat' },
  simulated: { name: 'agentforge.simulated', operation: 'chat' },
};

export function traceProvider(provider: Provider, options: TracedOptions): Provider {
  const { tracing, captureContent } = options;
  const { operation } = KNOWN_AS[provider.name];
  const isLocal = provider.name === 'simulated';
  return {
    ...provider,
    complete: (call, callOptions) =>
      tracing.inSpan(
        {
          name: `${operation} ${call.model}`,
          kind: isLocal ? 'internal' : 'client',
          attributes: {
            ...requestOf(provider.name, call),
            ...(captureContent && tracing.isOn ? promptOf(call) : {}),
          },
        },
        async (span) => {
          const reply = await provider.complete(call, callOptions);
          span.set(responseOf(reply));
          if (captureContent && tracing.isOn) {
            span.set(answerOf(reply));
          }
          return reply;
        },
      ),
  };
}

function requestOf(provider: ProviderName, call: ModelCall): Attributes {
  const { name, operation } = KNOWN_AS[provider];
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': name,
    'gen_ai.request.model': call.model,
    'gen_ai.request.max_tokens': call.maxTokens,
    'gen_ai.request.temperature': call.temperature,
    'gen_ai.output.type': call.answer === undefined ? 'text' : 'json',
    'gen_ai.conversation.id': logScope().conversationId ?? null,
    'agentforge.step.id': billingContext.getStore()?.stepId ?? null,
  };
}

function responseOf({ responseModel, requestId, finish, usage }: ProviderReply): Attributes {
  return {
    'gen_ai.response.model': responseModel ?? null,
    'gen_ai.response.finish_reasons': [finishReasonOf(finish)],
    'gen_ai.usage.input_tokens': usage?.promptTokens ?? null,
    'gen_ai.usage.output_tokens': usage?.completionTokens ?? null,
    'agentforge.vendor.request_id': requestId,
  };
}

/** Ours, since each vendor has words of its own. */
function finishReasonOf(finish: ModelReply['finish']): string {
  return finish === 'refused' ? 'content_filter' : finish;
}

/** Of each text; a span must not become as large as the texts that it describes. */
const MAX_CHARACTERS = 8_192;
/** Of a prompt, the last ones; ours have two. */
const MAX_MESSAGES = 50;

function promptOf({ messages }: ModelCall): Attributes {
  const instructions = messages.filter(({ role }) => role === 'system');
  const others = messages.filter(({ role }) => role !== 'system').slice(-MAX_MESSAGES);
  return {
    'gen_ai.system_instructions':
      instructions.length === 0
        ? null
        : written(instructions.map(({ content }) => textPart(content))),
    'gen_ai.input.messages': written(
      others.map(({ role, content }) => ({ role, parts: [textPart(content)] })),
    ),
  };
}

function answerOf({ content, finish }: ProviderReply): Attributes {
  const finish_reason = finishReasonOf(finish);
  return {
    'gen_ai.output.messages': written([
      { role: 'assistant', parts: [textPart(content)], finish_reason },
    ]),
  };
}

function textPart(content: string) {
  return { type: 'text', content: maskText(content, MAX_CHARACTERS) };
}

/** Of texts that are masked; see `MASKED_ATTRIBUTES`. */
function written(value: unknown): string {
  return JSON.stringify(value, null, 1);
}
