import { previewOf } from '../text/previews.js';
import { withoutThoughts } from '../agents/thoughts.js';

/** `<field> <op> <number>`; serialisable, never evaluated as code. */
export interface Condition {
  readonly kind: 'condition';
  readonly field: string;
  readonly op: ComparisonOp;
  readonly value: number;
}

export type ComparisonOp = '>' | '<' | '>=' | '<=' | '==';

export type ParsedCondition = Condition | { readonly kind: 'invalid'; readonly reason: string };

/** Source: contract, pipeline §2.1; the letters of a field are those of any script. */
const CONDITION = /^([\p{L}\p{M}\p{Nd}_]+)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?)$/u;
const MAX_QUOTED_CHARACTERS = 100;

export function parseCondition(text: string): ParsedCondition {
  const [, field, op, number] = CONDITION.exec(text.normalize('NFC').trim()) ?? [];
  const value = Number(number);
  if (field === undefined || !isOp(op) || !Number.isFinite(value)) {
    const quoted = previewOf(text, MAX_QUOTED_CHARACTERS);
    return { kind: 'invalid', reason: `Invalid condition: "${quoted}"` };
  }
  return { kind: 'condition', field, op, value };
}

function isOp(text: string | undefined): text is ComparisonOp {
  return text === '>' || text === '<' || text === '>=' || text === '<=' || text === '==';
}

/** A field that is not there counts as 0. */
export function holds(condition: Condition, fields: Readonly<Record<string, number>>): boolean {
  const actual = Object.hasOwn(fields, condition.field) ? (fields[condition.field] ?? 0) : 0;
  switch (condition.op) {
    case '>':
      return actual > condition.value;
    case '<':
      return actual < condition.value;
    case '>=':
      return actual >= condition.value;
    case '<=':
      return actual <= condition.value;
    case '==':
      return actual === condition.value;
  }
}

const MAX_FIELDS = 32;
const FIELD_NAME = /^[\p{L}\p{M}\p{Nd}_]{1,64}$/u;
const FENCE = '```';

/**
 * The numeric top-level fields of an agent's answer: what conditions such as `score > 0.8` look at.
 * The answer is a JSON object, or carries one in a fenced block (the first that parses), or has one
 * amid its sentences: the only one, since of several nothing says which is meant. Thoughts before it
 * do not count, and a number may be written as a text. Where none of this holds, a field counts as 0.
 */
export function numericFieldsOf(content: string): Record<string, number> {
  const text = withoutThoughts(content);
  const answer =
    [text, ...fencedBlocksOf(text)].map(parseObject).find((it) => it !== null) ??
    onlyObjectIn(text);
  const numbers = Object.entries(answer ?? {}).flatMap(([key, value]): [string, number][] => {
    const name = key.normalize('NFC');
    const number = numberOf(value);
    return number !== null && FIELD_NAME.test(name) ? [[name, number]] : [];
  });
  return Object.fromEntries(numbers.slice(0, MAX_FIELDS));
}

const WRITTEN_NUMBER = /^-?\d{1,15}(?:\.\d{1,15})?$/;

function numberOf(value: unknown): number | null {
  const written = typeof value === 'string' ? value.trim() : '';
  const number = WRITTEN_NUMBER.test(written) ? Number(written) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

function onlyObjectIn(text: string): object | null {
  const [only, ...others] = bracedPartsOf(text)
    .map(parseObject)
    .filter((it) => it !== null);
  return others.length === 0 ? (only ?? null) : null;
}

const MAX_PARTS = 16;

/** From each outermost brace to the one that closes it; in one pass. */
function bracedPartsOf(text: string): readonly string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < text.length && parts.length < MAX_PARTS; at += 1) {
    const sign = text[at];
    if (sign === '{') {
      start = depth === 0 ? at : start;
      depth += 1;
    } else if (sign === '"' && depth > 0) {
      at = endOfQuote(text, at);
    } else if (sign === '}' && depth > 0) {
      depth -= 1;
      parts.push(...(depth === 0 ? [text.slice(start, at + 1)] : []));
    }
  }
  return parts;
}

function endOfQuote(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

function fencedBlocksOf(content: string): readonly string[] {
  return content
    .split(FENCE)
    .filter((_, index) => index % 2 === 1)
    .map((block) => block.replace(/^json\b/i, ''));
}

function parseObject(text: string): object | null {
  if (!text.trimStart().startsWith('{')) {
    return null;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null; // prose that begins with a brace
  }
}
