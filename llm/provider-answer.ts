/**
 * What a provider can say, and what comes of it: one table for all vendors. The vendors' files read
 * their wire formats into a `ProviderAnswer`; here it becomes a reply or a failed attempt.
 */
import { z } from 'zod';
import type { Usage, Vendor } from '../domain/models.js';
import type { ModelCall, ProviderReply } from './model.js';
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
}

export const NOT_STATED: StatedUsage = { prompt: undefined, completion: undefined };

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
 * How an answer ended, by the vendor's word for it. What is not listed is `unknown`.
 * Source: the vendors' API references (`finish_reason`, `stop_reason`, `FinishReason`), 2026-11-30;
 * `error` is sent by gateways that speak these formats.
 */
const ENDINGS: Readonly<Record<Vendor, ReadonlyMap<string, Ending>>> = {
  openai: new Map<string, Ending>([
    ['stop', 'complete'],
    ['length', 'cut'],
    ['content_filter', 'withheld'],
    ['tool_calls', 'tool-call'],
    ['function_call', 'tool-call'],
    ['error', 'error'],
  ]),
  anthropic: new Map<string, Ending>([
    ['end_turn', 'complete'],
    ['stop_sequence', 'complete'],
    ['max_tokens', 'cut'],
    ['model_context_window_exceeded', 'cut'],
    ['pause_turn', 'cut'],
    ['refusal', 'withheld'],
    ['tool_use', 'tool-call'],
    ['error', 'error'],
  ]),
  google: new Map<string, Ending>([
    ['STOP', 'complete'],
    ['MAX_TOKENS', 'cut'],
    ['SAFETY', 'withheld'],
    ['RECITATION', 'withheld'],
    ['LANGUAGE', 'withheld'],
    ['BLOCKLIST', 'withheld'],
    ['PROHIBITED_CONTENT', 'withheld'],
    ['SPII', 'withheld'],
    ['MALFORMED_FUNCTION_CALL', 'tool-call'],
    ['UNEXPECTED_TOOL_CALL', 'tool-call'],
    ['TOO_MANY_TOOL_CALLS', 'tool-call'],
    ['MALFORMED_RESPONSE', 'error'],
    ['ERROR', 'error'],
  ]),
};

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
export function toReply(vendor: Vendor, call: ModelCall, answer: ProviderAnswer): ProviderReply {
  const hasText = answer.text.trim() !== '';
  const usage = toUsage(answer.usage, hasText);
  const outcome = outcomeOf(vendor, answer, hasText);
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

function outcomeOf(vendor: Vendor, answer: ProviderAnswer, hasText: boolean): Outcome {
  if (answer.isRefused) {
    return 'refused';
  }
  const ending = ENDINGS[vendor].get(answer.finishReason ?? '') ?? 'unknown';
  return OUTCOMES[ending][hasText ? 'withText' : 'withoutText'];
}

function billed(usage: Usage | null) {
  return usage === null ? { billing: 'unknown' as const } : { billing: usage };
}

/**
 * The counts in whole tokens, each from where it is stated.
 *
 * @param hasText all zero beside a text counts as not stated
 * @returns null where one of them cannot be known
 */
export function toUsage(stated: StatedUsage, hasText: boolean): Usage | null {
  const total = countOf(stated.total);
  const prompt = added(stated.prompt, stated.morePrompt);
  const completion = added(stated.completion, stated.moreCompletion);
  const promptTokens = prompt ?? differenceOf(total, completion);
  const written = completion ?? differenceOf(total, prompt);
  const completionTokens = written ?? (hasText ? null : sumOf(stated.moreCompletion));
  if (promptTokens === null || completionTokens === null) {
    return null;
  }
  return hasText && promptTokens + completionTokens === 0
    ? null
    : { promptTokens, completionTokens };
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
