import { Validator, type OutputUnit, type Schema } from '@cfworker/json-schema';
import { z } from 'zod';
import type { OutputSchema } from '../../domain/output-schema.js';
import { parseAnswer, unfenced, unusable, type Answer, type Problem } from './structured.js';

/** Gives our own schema the checker's type. */
const CheckedSchema = z.custom<Schema>((value) => typeof value === 'object');

/** Looks for all problems of shorter answers, and for the first of longer ones. */
const SHORT_CHARACTERS = 20_000;

/**
 * Checks an agent's answer. The checker interprets the schema: one that a user wrote must not become
 * code of ours.
 *
 * @returns the answer's JSON text, without a fence round it
 */
export function readBySchema(schema: OutputSchema, text: string): Answer<string> {
  const json = parseAnswer(text);
  if (json.kind === 'unusable') {
    return json;
  }
  const stopsAtFirst = text.length > SHORT_CHARACTERS;
  const copy = CheckedSchema.parse(structuredClone(schema)); // the checker writes into it
  const problems = problemsIn(json.value, new Validator(copy, '2020-12', stopsAtFirst));
  return problems.length === 0
    ? { kind: 'answer', value: unfenced(text).trim() }
    : unusable(problems);
}

function problemsIn(value: unknown, validator: Validator): readonly Problem[] {
  try {
    return problemsOf(validator.validate(value).errors);
  } catch (error) {
    if (error instanceof URIError) {
      return [{ path: [], message: 'has a name that is no Unicode text' }]; // half a surrogate pair
    }
    throw error;
  }
}

/** Errors that only say that there is another one further in. */
const SUMMARIES = new Set(['properties', 'items', 'anyOf', 'false']);

function problemsOf(errors: readonly OutputUnit[]): readonly Problem[] {
  const own = errors.filter(({ keyword }) => !SUMMARIES.has(keyword));
  return (own.length > 0 ? own : errors).map(({ instanceLocation, error }) => ({
    path: instanceLocation.split('/').slice(1).map(unescaped),
    message: error,
  }));
}

/** Source: RFC 6901, in a URI's fragment. */
function unescaped(part: string): string {
  return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
}
