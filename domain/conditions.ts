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
    const quoted = text.slice(0, MAX_QUOTED_CHARACTERS);
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
 * The numeric top-level fields of an agent's answer, where it is a JSON object or carries one in
 * a fenced block (the first that parses): what conditions such as `score > 0.8` look at.
 */
export function numericFieldsOf(content: string): Record<string, number> {
  const answer = [content, ...fencedBlocksOf(content)].map(parseObject).find((it) => it !== null);
  const numbers = Object.entries(answer ?? {}).flatMap(([key, value]): [string, number][] => {
    const name = key.normalize('NFC');
    const isNumber = typeof value === 'number' && Number.isFinite(value);
    return isNumber && FIELD_NAME.test(name) ? [[name, value]] : [];
  });
  return Object.fromEntries(numbers.slice(0, MAX_FIELDS));
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
