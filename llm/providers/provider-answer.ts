/**
 * What a provider can say, and what comes of it: one table for all vendors. The vendors' files read
 * their wire formats into a `ProviderAnswer`; here it becomes a reply or a failed attempt.
 */
import { z } from 'zod';
import type { Usage, RemoteProvider } from '../../domain/agents/models.js';
import { hasAnswer } from '../../domain/agents/thoughts.js';
import type { ModelCall, ProviderReply } from '../model.js';
import { ModelCallError } from './vendor-errors.js';

/** One whole answer, as read from the wire. */
export interface ProviderAnswer {
  readonly text: string;
  /** The vendor's own word for how the answer ended; null where it names none. */
  readonly finishReason: string | null;
  /** The vendor withheld the answer; counts more than `finishReason`. */
  readonly isRefused: boolean;
  readonly usage: StatedUsage;
  readonly responseModel: string | undefined;
  /** The vendor's id of the request. */
  readonly requestId: string | null;
}

/** Token counts as they came: absent, null, a text or a nonsensical number are possible. */
export interface StatedUsage {
  readonly prompt: unknown;
  readonly completion: unknown;
  readonly total?: unknown;
  /** Counted beside `prompt`: cached tokens of Anthropic. */
  readonly morePrompt?: readonly unknown[];
  /** Counted beside `completion`: thoughts of Google. */
  readonly moreCompletion?: readonly unknown[];
  /** Parts of what is counted above. */
  readonly cacheRead?: unknown;
  readonly cacheWrite?: unknown;
  readonly cacheWrite1h?: unknown;
  readonly reasoning?: unknown;
  /** The vendor's words for how the call was served. */
  readonly serviceTiers?: readonly (string | null | undefined)[];
}

/** Far more than an answer has of anything. */
const MAX_PARTS = 10_000;

/** A list of which the first ones are read, however many there are. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.preprocess(
    (value) => (Array.isArray(value) ? value.slice(0, MAX_PARTS) : value),
    z.array(item),
  );
}

type Ending = 'complete' | 'cut' | 'withheld' | 'tool-call' | 'error' | 'unknown';

/**
 * How an answer ended, by the provider's word for it in lower case. One table for all: gateways speak
 * one provider's format with the words of another. What is not listed is `unknown`.
 * Source: the API references of OpenAI, Anthropic and Google (`finish_reason`, `stop_reason`,
 * `FinishReason`) and of servers that speak OpenAI's format (text-generation-inference, vLLM,
 * SGLang, Mistral, Cohere, DeepSeek, Zhipu, Bedrock), 2026-12-01.
 */
const ENDINGS = {
  complete: 'stop end_turn stop_sequence eos eos_token complete completed',
  cut: 'length max_tokens model_length model_context_window_exceeded pause_turn',
  withheld:
    'content_filter content_filtered refusal safety recitation language blocklist ' +
    'prohibited_content spii model_armor image_safety image_prohibited_content image_recitation ' +
    'guardrail_intervened error_toxic sensitive',
  'tool-call':
    'tool_calls function_call tool_use tool_call malformed_function_call unexpected_tool_call ' +
    'too_many_tool_calls',
  error: 'error malformed_response abort insufficient_system_resource network_error',
} as const;

const ENDING_OF: ReadonlyMap<string, Ending> = new Map(
  (['complete', 'cut', 'withheld', 'tool-call', 'error'] as const).flatMap((ending) =>
    ENDINGS[ending].split(' ').map((word) => [word, ending] as const),
  ),
);

/** `truncated`: the text is kept and marked. `empty` and `failed` are failed attempts. */
type Outcome = 'text' | 'truncated' | 'refused' | 'empty' | 'failed';

/** No tool is ever offered, so a text beside a tool call is one that was broken off. */
const OUTCOMES: Readonly<Record<Ending, { withText: Outcome; withoutText: Outcome }>> = {
  complete: { withText: 'text', withoutText: 'empty' },
  cut: { withText: 'truncated', withoutText: 'empty' },
  withheld: { withText: 'refused', withoutText: 'refused' },
  'tool-call': { withText: 'truncated', withoutText: 'empty' },
  error: { withText: 'failed', withoutText: 'failed' },
  unknown: { withText: 'truncated', withoutText: 'empty' },
};

const FINISHES = { text: 'stop', truncated: 'length', refused: 'refused' } as const;

/**
 * @throws ModelCallError `model-empty` for an answer without a text, `model-unavailable` for one
 *   that the vendor broke off; both with the usage where it is stated
 */
export function toReply(
  vendor: RemoteProvider,
  call: ModelCall,
  answer: ProviderAnswer,
): ProviderReply {
  const hasText = hasAnswer(answer.text);
  const wroteText = answer.text.trim() !== ''; // thoughts are no answer, and are paid
  const usage = toUsage(answer.usage, { hasText: wroteText, isWhole: true });
  const outcome = outcomeOf(answer, hasText);
  if (outcome === 'empty') {
    throw new ModelCallError('model-empty', `${vendor} answered without a text`, billed(usage));
  }
  if (outcome === 'failed') {
    throw new ModelCallError('model-unavailable', `${vendor} broke off its answer`, billed(usage));
  }
  return {
    content: outcome === 'refused' ? '' : answer.text,
    provider: vendor,
    model: call.model,
    responseModel: answer.responseModel,
    usage,
    finish: FINISHES[outcome],
    requestId: answer.requestId,
  };
}

function outcomeOf(answer: ProviderAnswer, hasText: boolean): Outcome {
  if (answer.isRefused) {
    return 'refused';
  }
  const ending = ENDING_OF.get((answer.finishReason ?? '').trim().toLowerCase()) ?? 'unknown';
  return OUTCOMES[ending][hasText ? 'withText' : 'withoutText'];
}

function billed(usage: Usage | null) {
  return usage === null ? { billing: 'unknown' as const } : { billing: usage };
}

interface Stating {
  /** Text was written for at least one token, and the prompt had one: a zero states neither. */
  readonly hasText: boolean;
  /** The answer came to its end: without a text, a count that is missing is none. */
  readonly isWhole: boolean;
}

/**
 * The counts in whole tokens, each from where it is stated.
 *
 * @returns null where one of them cannot be known, or they contradict each other
 */
export function toUsage(stated: StatedUsage, { hasText, isWhole }: Stating): Usage | null {
  const known = (count: number | null) => (hasText && count === 0 ? null : count);
  const total = countOf(stated.total);
  const prompt = known(added(stated.prompt, stated.morePrompt));
  const answered = known(countOf(stated.completion)); // thoughts beside it do not make a zero a count
  const completion = answered === null ? null : answered + sumOf(stated.moreCompletion);
  const promptTokens = prompt ?? known(differenceOf(total, completion));
  const written = completion ?? known(differenceOf(total, prompt));
  const completionTokens = written ?? (isWhole && !hasText ? sumOf(stated.moreCompletion) : null);
  return promptTokens === null || completionTokens === null
    ? null
    : withParts(stated, { promptTokens, completionTokens });
}

function withParts(stated: StatedUsage, whole: Usage): Usage | null {
  const { cacheRead, cacheWrite, cacheWrite1h, reasoning } = stated;
  const cached = sumOf([cacheRead, cacheWrite, cacheWrite1h]);
  if (cached > whole.promptTokens || sumOf([reasoning]) > whole.completionTokens) {
    return null;
  }
  const parts = [
    ['cacheReadTokens', cacheRead],
    ['cacheWriteTokens', cacheWrite],
    ['cacheWrite1hTokens', cacheWrite1h],
    ['reasoningTokens', reasoning],
  ] as const;
  const counted = parts
    .map(([name, part]) => [name, sumOf([part])] as const)
    .filter(([, count]) => count > 0);
  const serviceTier = toServiceTier(stated.serviceTiers);
  const tier = serviceTier === '' ? {} : { serviceTier };
  return { ...whole, ...Object.fromEntries(counted), ...tier };
}

/** Words for the service whose prices are the usual ones; Groq says `on_demand`. */
const STANDARD_TIERS = [
  '',
  'auto',
  'default',
  'standard',
  'standard_only',
  'on_demand',
  'unspecified',
];
const LONGEST_TIER = 64;

/** @returns '' for the standard one; several words are joined, since each changes the price */
function toServiceTier(words: StatedUsage['serviceTiers'] = []): string {
  const tiers = words
    .map((word) =>
      (word ?? '')
        .trim()
        .toLowerCase()
        .replace(/^service_tier_/, ''),
    )
    .filter((word) => !STANDARD_TIERS.includes(word));
  return [...new Set(tiers)].join('+').slice(0, LONGEST_TIER);
}

/** Whether `part` is the rest of the total that prompt and completion leave. */
export function isCountedBeside(
  part: unknown,
  { prompt, completion, total }: Pick<StatedUsage, 'prompt' | 'completion' | 'total'>,
): boolean {
  const rest = differenceOf(countOf(total), (countOf(prompt) ?? 0) + (countOf(completion) ?? 0));
  return rest !== null && rest > 0 && rest === countOf(part);
}

/** @returns null where the whole is not stated, or is less than its part */
export function subtract(whole: unknown, part: unknown): number | null {
  return differenceOf(countOf(whole), countOf(part) ?? 0);
}

/**
 * What a stream states of one count: the last that says something. Later events may hold null, or 0
 * for what they do not know.
 */
export function lastStated(values: readonly unknown[]): unknown {
  return (
    values.findLast((value) => (countOf(value) ?? 0) > 0) ??
    values.findLast((value) => value !== undefined && value !== null)
  );
}

function added(own: unknown, more: readonly unknown[] | undefined): number | null {
  const count = countOf(own);
  return count === null ? null : count + sumOf(more);
}

/** More than any model reads or writes; the ledger's column holds twice as much. */
const MAX_TOKENS_STATED = 1_000_000_000;
const WRITTEN_COUNT = /^\d{1,10}(?:\.\d{1,10})?$/;

/** @returns null for what is no count: a fraction is rounded up, a negative number is none */
function countOf(value: unknown): number | null {
  const text = typeof value === 'string' ? value.trim() : '';
  const count = WRITTEN_COUNT.test(text) ? Number(text) : value;
  const isCount = typeof count === 'number' && count >= 0 && count <= MAX_TOKENS_STATED;
  return isCount ? Math.ceil(count) : null;
}

function sumOf(values: readonly unknown[] = []): number {
  return values.reduce<number>((sum, value) => sum + (countOf(value) ?? 0), 0);
}

function differenceOf(total: number | null, part: number | null): number | null {
  return total === null || part === null || total < part ? null : total - part;
}
