/** The kinds of fields that bodies, queries and paths are made of. */
import { z } from 'zod';

/**
 * A text of `min`–`max` characters (code points, as the columns count them), without NUL and
 * without half a surrogate pair, which PostgreSQL and Temporal would not keep as they are.
 */
export function text({ min = 0, max }: { min?: number; max: number }) {
  return z
    .string()
    .check((check) => {
      const size = lengthOf(check.value);
      const issue = { origin: 'string', inclusive: true, input: check.value } as const;
      if (size < min) {
        check.issues.push({ ...issue, code: 'too_small', minimum: min });
      }
      if (size > max) {
        check.issues.push({ ...issue, code: 'too_big', maximum: max });
      }
      if (check.value.includes('\0')) {
        check.issues.push(valueError(check.value, 'text must not contain NUL characters'));
      }
      if (!check.value.isWellFormed()) {
        check.issues.push({ code: 'custom', message: NOT_UNICODE, input: check.value });
      }
    })
    .meta({ minLength: min, maxLength: max, pattern: WITHOUT_NUL });
}

const WITHOUT_NUL = '^[^\\u0000]*$';
const NOT_UNICODE = 'Input should be a valid string, unable to parse raw data as a unicode string';

/** A problem that only we know of, in the form that Pydantic gives to those. */
export function valueError(input: unknown, message: string) {
  return { code: 'custom', message: `Value error, ${message}`, input } as const;
}

/** Characters as PostgreSQL and Python count them. */
export function lengthOf(value: string): number {
  return Array.from(value).length;
}

export const uuid = z.guid();

/** A whole number; zod itself would call a text in its place "no number". */
export const wholeNumber = z.int({
  error: ({ code, input }) => {
    if (code !== 'invalid_type' || input === undefined) {
      return undefined;
    }
    return `Input should be a valid integer${WHY_NO_INTEGER[typeof input] ?? ''}`;
  },
});

const WHY_NO_INTEGER: Readonly<Record<string, string>> = {
  string: ', unable to parse string as an integer',
  number: ', got a number with a fractional part',
};

/** A whole number in a query string; the last one of several counts. */
export function queryInteger({ min, max, initial }: { min: number; max: number; initial: number }) {
  return z.preprocess((value) => {
    const last: unknown = Array.isArray(value) ? value.at(-1) : value;
    return typeof last === 'string' && /^[+-]?\d{1,15}$/.test(last) ? Number(last) : last;
  }, wholeNumber.min(min).max(max).default(initial));
}
