import { Validator, type OutputUnit, type Schema } from '@cfworker/json-schema';
import { z } from 'zod';
import type { OutputSchema } from '../../domain/agents/output-schema.js';
import { toStorableJson } from '../../domain/text/storable-text.js';
import { parseAnswer, unfenced, unusable, type Answer, type Problem } from './structured.js';

/** Gives our own schema the checker's type. */
const CheckedSchema = z.custom<Schema>((value) => typeof value === 'object');

/** Looks for all problems of shorter answers, and for the first of longer ones. */
const SHORT_CHARACTERS = 20_000;

/**
 * Checks an agent's answer. The checker interprets the schema: one that a user wrote must not become
 * code of ours.
 *
 * @returns the answer's JSON text, without a fence round it; all its texts can be stored
 */
export function readBySchema(schema: OutputSchema, text: string): Answer<string> {
  const answer = toStorableJson(unfenced(text)).trim();
  const json = parseAnswer(answer);
  if (json.kind === 'unusable') {
    return json;
  }
  const stopsAtFirst = text.length > SHORT_CHARACTERS;
  const copy = CheckedSchema.parse(structuredClone(schema)); // the checker writes into it
  const { errors } = new Validator(copy, '2020-12', stopsAtFirst).validate(json.value);
  const problems = problemsOf(errors);
  return problems.length === 0 ? { kind: 'answer', value: answer } : unusable(problems);
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
