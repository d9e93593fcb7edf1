/** The kinds of fields that bodies, queries and paths are made of. */
import { z } from 'zod';
import { isUuid } from '../../domain/ids.js';

/**
 * A text of `min`–`max` characters (code points, as the columns count them), without NUL and
 * without half a surrogate pair, which PostgreSQL and Temporal would not keep as they are.
 */
export function text({ min = 0, max }: { min?: number; max: number }) {
  return z
    .string()
    .check((check) => {
      const issue = { origin: 'string', inclusive: true, input: check.value } as const;
      if (check.value.length > 2 * max) {
        check.issues.push({ ...issue, code: 'too_big', maximum: max });
        return; // two units make a character at most: what else is wrong is not looked for
      }
      const size = lengthOf(check.value);
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
  let length = value.length;
  for (let at = 1; at < value.length; at += 1) {
    if (isLow(value.charCodeAt(at)) && isHigh(value.charCodeAt(at - 1))) {
      length -= 1;
      at += 1; // the next one begins anew
    }
  }
  return length;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Has one spelling from here on: Temporal and Redis know ids by their letters. */
export const uuid = z.guid().toLowerCase();

/** An id that need not be one: an impossible id is simply not found. */
export const idText = z.string().overwrite((id) => (isUuid(id) ? id.toLowerCase() : id));

/**
 * A list of `max` at most: a longer one is refused before any of its items is looked at.
 *
 * @param item what each of them has to be
 */
export function list<T extends z.ZodType>(item: T, { max }: { max: number }) {
  return z.preprocess((value, context) => {
    if (Array.isArray(value) && value.length > max) {
      const issue = { origin: 'array', inclusive: true, input: value } as const;
      context.issues.push({ ...issue, code: 'too_big', maximum: max });
      return z.NEVER;
    }
    return value;
  }, z.array(item).max(max));
}

/** What is kept by names, `max` of them at most; more are refused before any is looked at. */
export function dictionary<K extends z.core.$ZodRecordKey, V extends z.ZodType>(
  name: K,
  value: V,
  { max }: { max: number },
) {
  return z.preprocess(
    (given, context) => {
      if (hasMoreThan(max, given)) {
        context.issues.push(valueError(given, `at most ${max} entries`));
        return z.NEVER;
      }
      return given;
    },
    z.record(name, value).meta({ maxProperties: max }),
  );
}

function hasMoreThan(max: number, value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > max;
}

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
