/** Reads a model's structured answer: fences unwrapped, JSON parsed, zod checked. */
import { z } from 'zod';
import type { AnswerSchema } from '../../llm/model.js';

const FENCED = /^\s*```(?:json)?\s*\n?([\s\S]*?)\n?\s*```\s*$/;

export type Answer<T> =
  | { readonly kind: 'answer'; readonly value: T }
  /** `where: what` for the first problems, for a repair. */
  | { readonly kind: 'unusable'; readonly problems: readonly string[] };

const MAX_PROBLEMS = 10;
const MAX_PROBLEM_CHARACTERS = 300;

/** @returns `unusable` for text that is no JSON, or JSON of another shape */
export function readAnswer<T>(schema: z.ZodType<T>, text: string): Answer<T> {
  const json = parseAnswer(text);
  if (json.kind === 'unusable') {
    return json;
  }
  const parsed = schema.safeParse(json.value);
  return parsed.success
    ? { kind: 'answer', value: parsed.data }
    : unusable(parsed.error.issues.map(({ path, message }) => ({ path, message })));
}

/** What the text holds, be it fenced or not. */
export function parseAnswer(text: string): Answer<unknown> {
  try {
    return { kind: 'answer', value: JSON.parse(unfenced(text)) };
  } catch {
    return unusable([{ path: [], message: 'is no JSON document' }]);
  }
}

/** The text without the fence that models like to put round JSON. */
export function unfenced(text: string): string {
  return FENCED.exec(text)?.[1] ?? text;
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
    return `${where}: ${message}`.slice(0, MAX_PROBLEM_CHARACTERS);
  });
  return { kind: 'unusable', problems: told };
}

/** The vendors' strict form: every property required, none besides. */
export function answerSchema(name: string, schema: z.ZodType): AnswerSchema {
  const { $schema: _, ...document } = z.toJSONSchema(schema, { target: 'draft-2020-12' });
  return { name, schema: document };
}
