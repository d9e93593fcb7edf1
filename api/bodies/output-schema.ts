/** How an agent's answer shall look, as clients post it; the rules are in domain/output-schema.ts. */
import { z } from 'zod';
import {
  MAX_SCHEMA_BYTES,
  MAX_SCHEMA_DEPTH,
  findSchemaProblem,
  schemaDepthOf,
  type OutputSchema,
} from '../../domain/output-schema.js';
import { text, valueError, wholeNumber } from './fields.js';

const jsonType = z.enum(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);
const MAX_TEXT = 4_000;
const MAX_ENUM = 200;
/** What every vendor takes. Source: Anthropic's API, which takes no others as property keys. */
const name = z.string().regex(/^(?!__proto__$)[A-Za-z0-9_.-]{1,64}$/);
const NO_NAME = 'Value error, is no name of a property';
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
          ? `Value error, not supported here: ${issue.keys.join(', ')}`
          : undefined,
    },
  )
  .meta({ id: 'OutputSchema' });

export const outputSchema = node.check((check) => {
  const { value, issues } = check;
  if (issues.length > 0) {
    return; // its form is wrong
  }
  const refuse = (message: string, path: readonly (string | number)[] = []) => {
    issues.push({ ...valueError(value, message), path: [...path] });
  };
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_SCHEMA_BYTES) {
    refuse(`an output schema has ${MAX_SCHEMA_BYTES} bytes at most`);
  } else if (schemaDepthOf(value) > MAX_SCHEMA_DEPTH) {
    refuse(`schemas may be nested ${MAX_SCHEMA_DEPTH} levels deep at most`);
  } else {
    const problem = findSchemaProblem(value);
    if (problem !== null) {
      refuse(problem.message, problem.path);
    }
  }
});
