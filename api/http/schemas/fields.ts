/** The kinds of fields that bodies, queries and paths are made of. */
import { z } from 'zod';
import type { TimeCursor } from '../../../db/pages.js';
import { isUuid } from '../../../domain/ids.js';
import { TEXT_PATTERN, findTextProblem, type TextSize } from '../../../domain/text/problems.js';

/** A text of `min`–`max` characters that can be stored; `findTextProblem` has the rules. */
export function text({ min = 0, max }: TextSize) {
  return z
    .string()
    .check(({ value, issues }) => {
      const message = findTextProblem(value, { min, max });
      if (message !== null) {
        issues.push({ code: 'custom', message, input: value });
      }
    })
    .meta({ minLength: min, maxLength: max, pattern: TEXT_PATTERN });
}

/** A problem that only we know of, in the form that Pydantic gives to those. */
export function valueError(input: unknown, message: string) {
  return { code: 'custom', message: `Value error, ${message}`, input } as const;
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

/** The `next` of the page before, in a query string. */
export const timeCursor = z.string().regex(/^\d{1,16}\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/);

/** @param text as `timeCursor` has checked it */
export function parseTimeCursor(text: string | undefined): TimeCursor | undefined {
  const [micros, id] = text?.split('.') ?? [];
  return micros === undefined || id === undefined ? undefined : { micros, id };
}

export function formatTimeCursor(cursor: TimeCursor | null): string | null {
  return cursor === null ? null : `${cursor.micros}.${cursor.id}`;
}
