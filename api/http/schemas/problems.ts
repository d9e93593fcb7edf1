/** What is wrong with an input, told in Pydantic v2's wording: clients show `msg` to people. */
import type { z } from 'zod';
import { previewOf } from '../../../domain/text/previews.js';

export interface FieldProblem {
  readonly field: string;
  readonly msg: string;
}

/** An answer lists so many; the rest follows once these are mended. */
export const MAX_PROBLEMS = 50;
/** Of what is said about a field. */
const MAX_CHARACTERS = 300;

/** An input that was refused; becomes a 422. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';
  readonly problems: readonly FieldProblem[];

  constructor(problems: readonly FieldProblem[]) {
    super('invalid input');
    this.problems = problems;
  }
}

/** Where an input came from; a body's fields are named without a prefix. */
export type InputPlace = 'body' | 'query' | 'path' | 'header' | 'design_data';

/** @throws InvalidInput with one entry per failing field, in the schema's order. */
export function parseInput<S extends z.ZodType>(
  schema: S,
  value: unknown,
  place: InputPlace,
): z.output<S> {
  const read = readInput(schema, value, place);
  if (read.kind === 'parsed') {
    return read.value;
  }
  throw new InvalidInput(read.problems);
}

export type ReadInput<T> =
  | { readonly kind: 'parsed'; readonly value: T }
  | { readonly kind: 'refused'; readonly problems: readonly FieldProblem[] };

/** `parseInput` for who has other inputs to look at, too. */
export function readInput<S extends z.ZodType>(
  schema: S,
  value: unknown,
  place: InputPlace,
): ReadInput<z.output<S>> {
  const parsed = schema.safeParse(value, { reportInput: true });
  return parsed.success
    ? { kind: 'parsed', value: parsed.data }
    : { kind: 'refused', problems: problemsOf(parsed.error.issues, place) };
}

function problemsOf(issues: readonly z.core.$ZodIssue[], place: InputPlace): FieldProblem[] {
  const problems = new Map<string, FieldProblem>();
  for (const issue of issues) {
    const path = place === 'body' ? issue.path : [place, ...issue.path];
    const field = path.map((part) => previewOf(String(part))).join('.') || 'unknown';
    if (!problems.has(field)) {
      problems.set(field, { field, msg: previewOf(wordingOf(issue), MAX_CHARACTERS) });
    }
    if (problems.size === MAX_PROBLEMS) {
      break;
    }
  }
  return [...problems.values()];
}

/** In Pydantic's words. */
export function wordingOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue);
    case 'too_small':
      return sizeOf(issue, { bound: 'at least', limit: issue.minimum, comparison: 'greater' });
    case 'too_big':
      return sizeOf(issue, { bound: 'at most', limit: issue.maximum, comparison: 'less' });
    case 'invalid_value':
      return issue.input === undefined
        ? 'Field required'
        : `Input should be ${listed(issue.values.map((value) => `'${String(value)}'`))}`;
    case 'invalid_format':
      return issue.format === 'guid' || issue.format === 'uuid'
        ? 'Input should be a valid UUID'
        : issue.message;
    default:
      return issue.message;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  boolean: 'boolean',
  array: 'list',
  record: 'dictionary',
  object: 'dictionary or object to extract fields from',
};

function wrongType(issue: z.core.$ZodIssueInvalidType): string {
  if (issue.input === undefined) {
    return 'Field required';
  }
  if (!issue.message.startsWith('Invalid input')) {
    return issue.message; // the field's own wording
  }
  const isText = issue.expected === 'number' && typeof issue.input === 'string';
  const why = isText ? ', unable to parse string as a number' : '';
  return `Input should be a valid ${TYPE_NAMES[issue.expected] ?? issue.expected}${why}`;
}

function sizeOf(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  { bound, limit, comparison }: { bound: string; limit: number | bigint; comparison: string },
): string {
  const plural = Number(limit) === 1 ? '' : 's';
  if (issue.origin === 'string') {
    return `String should have ${bound} ${limit.toString()} character${plural}`;
  }
  if (issue.origin === 'array') {
    const found = Array.isArray(issue.input) ? `, not ${issue.input.length}` : '';
    return `List should have ${bound} ${limit.toString()} item${plural} after validation${found}`;
  }
  return `Input should be ${comparison} than or equal to ${limit.toString()}`;
}

/** `'a', 'b' or 'c'` */
function listed(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} or ${last}`;
}
