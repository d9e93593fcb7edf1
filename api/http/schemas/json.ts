/** JSON bodies: nothing is made of a text before one pass over it has bounded what it can cost. */
import { lengthOf } from '../../../domain/text/problems.js';
import { JsonDocument } from './json-document.js';
import { scanJson, type JsonMember } from './json-scan.js';
import { InvalidInput } from './problems.js';

/** Deeper than any editor's document, and less than what ends a stack, here or in PostgreSQL. */
const MAX_NESTING = 500;
/** The largest design that can run, with an output schema for each of its agents, has half of it. */
const MAX_VALUES = 50_000;
/** Of the outermost object: a form has a few. */
const MAX_MEMBERS = 1_000;

/** @throws InvalidInput: whose field is the character offset of the first mistake, or `unknown` */
export function parseJson(text: string): unknown {
  scanWithin(text, MAX_VALUES);
  return JSON.parse(text);
}

/**
 * The same for a body that carries documents of any content. They are not parsed at all: each
 * becomes a `JsonDocument`. Members that are neither documents nor known are passed over unread.
 *
 * @throws InvalidInput
 */
export function parseJsonAround(
  text: string,
  { known, documents }: { known: readonly string[]; documents: readonly string[] },
): unknown {
  const members = scanWithin(text, Infinity);
  if (members.length > MAX_MEMBERS) {
    refuse(`objects may have ${MAX_MEMBERS} members at most`);
  }
  const isObject = text.trimStart().startsWith('{');
  return isObject ? Object.fromEntries(members.flatMap(readMember)) : null;

  function readMember({ nameAt, nameEnd, valueAt, valueEnd, values }: JsonMember) {
    const name = String(JSON.parse(text.slice(nameAt, nameEnd)));
    if (documents.includes(name)) {
      return [[name, new JsonDocument(text.slice(valueAt, valueEnd), values)] as const];
    }
    if (!known.includes(name)) {
      return [];
    }
    if (values > MAX_VALUES) {
      refuse(TOO_MANY);
    }
    const value: unknown = JSON.parse(text.slice(valueAt, valueEnd));
    return [[name, value] as const];
  }
}

const TOO_MANY = `a body may hold ${MAX_VALUES} values at most`;

/** @throws InvalidInput */
function scanWithin(text: string, maxValues: number): readonly JsonMember[] {
  const scan = scanJson(text, { maxNesting: MAX_NESTING, maxValues });
  switch (scan.kind) {
    case 'valid':
      return scan.members;
    case 'mistake': {
      const field = String(lengthOf(text.slice(0, scan.at)));
      throw new InvalidInput([{ field, msg: 'JSON decode error' }]);
    }
    case 'too-deep':
      return refuse(`objects and lists may be nested ${MAX_NESTING} levels deep at most`);
    case 'too-many':
      return refuse(TOO_MANY);
  }
}

/** @throws InvalidInput */
function refuse(why: string): never {
  throw new InvalidInput([{ field: 'unknown', msg: `Value error, ${why}` }]);
}
