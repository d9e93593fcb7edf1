/** Reads a model's structured answer: fences unwrapped, JSON parsed, zod checked. */
import { z } from 'zod';
import { previewOf } from '../../domain/text/previews.js';
import { toStorable } from '../../domain/text/storable-text.js';
import { withoutThoughts } from '../../domain/agents/thoughts.js';
import type { AnswerSchema } from '../../llm/model.js';

export type Answer<T> =
  | { readonly kind: 'answer'; readonly value: T }
  /** `where: what` for the first problems, for a repair. */
  | { readonly kind: 'unusable'; readonly problems: readonly string[] };

/** Several times what 16,384 tokens, the most that an agent may ask for, come to in any language. */
export const MAX_ANSWER_CHARACTERS = 500_000;
const MAX_PROBLEMS = 10;
const MAX_PROBLEM_CHARACTERS = 300;

/**
 * @param schema of a shallow document; its texts are made storable here
 * @returns `unusable` for text that is no JSON, or JSON of another shape
 */
export function readAnswer<T>(schema: z.ZodType<T>, text: string): Answer<T> {
  const json = parseAnswer(text);
  if (json.kind === 'unusable') {
    return json;
  }
  const parsed = schema.safeParse(json.value);
  return parsed.success
    ? { kind: 'answer', value: toStorable(parsed.data) }
    : unusable(parsed.error.issues.map(({ path, message }) => ({ path, message })));
}

/** What the text holds, be it fenced or not. */
export function parseAnswer(text: string): Answer<unknown> {
  if (text.length > MAX_ANSWER_CHARACTERS) {
    const message = `is longer than ${MAX_ANSWER_CHARACTERS} characters`;
    return unusable([{ path: [], message }]);
  }
  try {
    return { kind: 'answer', value: JSON.parse(unfenced(text)) };
  } catch {
    return unusable([{ path: [], message: 'is no JSON document' }]);
  }
}

const FENCE = '```';
const LANGUAGE = 'json';

/** The text without the fence that models like to put round JSON, and without thoughts before it. */
export function unfenced(text: string): string {
  const answer = withoutThoughts(text);
  const whole = answer.trim();
  const isFenced =
    whole.length >= FENCE.length * 2 && whole.startsWith(FENCE) && whole.endsWith(FENCE);
  if (!isFenced) {
    return answer;
  }
  const inside = whole.slice(FENCE.length, -FENCE.length);
  return (inside.startsWith(LANGUAGE) ? inside.slice(LANGUAGE.length) : inside).trim();
}

export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export function unusable(
  problems: readonly Problem[],
): Extract<Answer<never>, { problems: unknown }> {
  const told = problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => {
    const where = path.map(String).join('.') || 'the whole';
    return previewOf(toStorable(`${where}: ${message}`), MAX_PROBLEM_CHARACTERS);
  });
  return { kind: 'unusable', problems: told };
}

/** The vendors' strict form: every property required, none besides. */
export function answerSchema(name: string, schema: z.ZodType): AnswerSchema {
  const { $schema: _, ...document } = z.toJSONSchema(schema, { target: 'draft-2020-12' });
  return { name, schema: document };
}
