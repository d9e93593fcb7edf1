/** How an agent's answer shall look, as clients post it; the rules are in domain/output-schema.ts. */
import { z } from 'zod';
import {
  MAX_SCHEMA_BYTES,
  MAX_SCHEMA_DEPTH,
  findSchemaProblem,
  schemaDepthOf,
  type OutputSchema,
} from '../../domain/output-schema.js';
import { previewOf } from '../../domain/previews.js';
import { text, valueError, wholeNumber } from './fields.js';
import { wordingOf } from './problems.js';

const jsonType = z.enum(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);
const MAX_TEXT = 4_000;
const MAX_ENUM = 200;
/** What every vendor takes. Source: Anthropic's API, which takes no others as property keys. */
const name = z.string().regex(/^(?!__proto__$)[A-Za-z0-9_.-]{1,64}$/);
const NO_NAME = 'Value error, is no name of a property';
/** Of the keywords that are not supported, so many are named. */
const MAX_NAMED = 5;
const size = wholeNumber.min(0);

const node: z.ZodType<OutputSchema> = z
  .strictObject(
    {
      type: z.union([jsonType, z.array(jsonType).min(1).max(2)]).optional(),
      title: text({ max: MAX_TEXT }).optional(),
      description: text({ max: MAX_TEXT }).optional(),
      properties: z
        .record(
          name,
          z.lazy(() => node),
          { error: ({ code }) => (code === 'invalid_key' ? NO_NAME : undefined) },
        )
        .optional()
        .meta({ id: 'OutputSchemaProperties' }),
      required: z.array(name).optional(),
      additionalProperties: z.boolean().optional(),
      items: z.lazy(() => node).optional(),
      minItems: size.optional(),
      maxItems: size.optional(),
      enum: z
        .array(text({ max: MAX_TEXT }))
        .min(1)
        .max(MAX_ENUM)
        .optional(),
      minLength: size.optional(),
      maxLength: size.optional(),
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      anyOf: z
        .array(z.lazy(() => node))
        .min(1)
        .optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `Value error, not supported here: ${issue.keys
              .slice(0, MAX_NAMED)
              .map((key) => previewOf(key))
              .join(', ')}`
          : undefined,
    },
  )
  .meta({ id: 'OutputSchema' });

/** Schemas in each other stand in `properties`, in `items` or in a list of `anyOf`. */
const MAX_NESTING = 2 * (MAX_SCHEMA_DEPTH + 1);
/** Further problems of one schema are listed once these are mended. */
const MAX_ISSUES = 10;

const TOO_LARGE = `an output schema has ${MAX_SCHEMA_BYTES} bytes at most`;
const TOO_DEEP = `schemas may be nested ${MAX_SCHEMA_DEPTH} levels deep at most`;

/** Measured before it is checked, because checking it goes as deep as it does. */
export const outputSchema = z.preprocess((value, context) => {
  const refuse = (message: string): never => {
    context.issues.push(valueError(value, message));
    return z.NEVER;
  };
  if (typeof value !== 'object') {
    return value; // which `node` refuses
  }
  if (isNestedDeeper(value, MAX_NESTING)) {
    return refuse(TOO_DEEP);
  }
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_SCHEMA_BYTES) {
    return refuse(TOO_LARGE);
  }
  const checked = rules.safeParse(value, { reportInput: true });
  if (!checked.success) {
    for (const issue of checked.error.issues.slice(0, MAX_ISSUES)) {
      const { path, input } = issue;
      context.issues.push({ code: 'custom', path, message: wordingOf(issue), input });
    }
    return z.NEVER;
  }
  return value;
}, node);

const rules = node.check((check) => {
  const { value, issues } = check;
  if (issues.length > 0) {
    return; // its form is wrong
  }
  if (schemaDepthOf(value) > MAX_SCHEMA_DEPTH) {
    issues.push(valueError(value, TOO_DEEP));
    return;
  }
  const problem = findSchemaProblem(value);
  if (problem !== null) {
    issues.push({ ...valueError(value, problem.message), path: [...problem.path] });
  }
});

/** Level by level, so that no depth ends the stack. */
function isNestedDeeper(value: unknown, most: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= most; depth += 1) {
    level = level.flatMap(membersOf);
    if (level.length === 0) {
      return false;
    }
  }
  return true;
}

function membersOf(value: unknown): readonly unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
