/** Request bodies. Problems have the form of the product's API. */
import { z } from 'zod';
import { MAX_URL_LENGTH } from '../domain/collector/source-urls.js';
import { SOURCE_TYPES } from './collection.js';

const NO_OBJECT = 'Input should be a valid dictionary or object to extract fields from';

export const newCollectionBody = z.object(
  {
    url: z
      .string({
        error: ({ input }) =>
          input === undefined ? 'Field required' : 'Input should be a valid string',
      })
      .trim()
      .max(MAX_URL_LENGTH, `String should have at most ${MAX_URL_LENGTH} characters`)
      .nullable() // as the contract has it: a caller may say that there is none
      .transform((url) => (url === '' ? null : url)),
    source_type: z
      .enum(SOURCE_TYPES, `Input should be ${SOURCE_TYPES.map((it) => `'${it}'`).join(' or ')}`)
      .default('web'),
    /** None is known yet; anything but an object is a mistake nevertheless. */
    options: z.record(z.string(), z.unknown(), 'Input should be a valid dictionary').nullish(),
  },
  NO_OBJECT,
);

export interface FieldProblem {
  readonly field: string;
  readonly msg: string;
}

/** One entry per field, in the contract's shape. */
export function problemsOf(error: z.ZodError): readonly FieldProblem[] {
  const problems = error.issues.map(({ path, message }) => ({
    field: path.map(String).join('.') || 'unknown',
    msg: message,
  }));
  return problems.filter(({ field }, at) => problems.findIndex((it) => it.field === field) === at);
}
