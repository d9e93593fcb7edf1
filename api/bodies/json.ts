import { lengthOf } from './fields.js';
import { InvalidInput } from './problems.js';

/** @throws InvalidInput whose field is the character offset of the first mistake. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const offset = lengthOf(text.slice(0, findJsonMistake(text)));
    throw new InvalidInput([{ field: String(offset), msg: 'JSON decode error' }]);
  }
}

/**
 * Where a text stops being JSON, since engines do not tell reliably. It points where Python's
 * decoder points: at the value, name or delimiter that was expected, at the opening quote of an
 * unterminated string, and behind the value where more follows.
 */
function findJsonMistake(text: string): number {
  const open: ('{' | '[')[] = [];
  let at = skip(SPACE, text, 0);
  for (;;) {
    const step = skipValue(text, at, open);
    if (step.kind === 'mistake') {
      return step.at;
    }
    const next = step.kind === 'opened' ? step : closeOrGoOn(text, step.at, open);
    if (next.kind !== 'opened') {
      return next.at;
    }
    at = next.at;
  }
}

/** `opened`: a value is expected next; `done`: behind a whole value; `mistake`: here. */
interface Step {
  readonly kind: 'opened' | 'done' | 'mistake';
  readonly at: number;
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

function skipValue(text: string, at: number, open: ('{' | '[')[]): Step {
  const first = text[at];
  if (first === '"') {
    return skipString(text, at);
  }
  if (first === '[' || first === '{') {
    return openContainer(text, at, { first, open });
  }
  const end = skip(SCALAR, text, at);
  return end === at ? { kind: 'mistake', at } : { kind: 'done', at: end };
}

function skipString(text: string, quote: number): Step {
  let end = skip(PLAIN, text, quote + 1);
  for (let next = skip(ESCAPE, text, end); next > end; next = skip(ESCAPE, text, end)) {
    end = skip(PLAIN, text, next);
  }
  if (text[end] === '"') {
    return { kind: 'done', at: end + 1 };
  }
  return { kind: 'mistake', at: end === text.length ? quote : end };
}

function openContainer(
  text: string,
  at: number,
  { first, open }: { first: '{' | '['; open: ('{' | '[')[] },
): Step {
  const inside = skip(SPACE, text, at + 1);
  if (text[inside] === closerOf(first)) {
    return { kind: 'done', at: inside + 1 };
  }
  open.push(first);
  return first === '{' ? skipName(text, inside) : { kind: 'opened', at: inside };
}

/** A member's name and its colon. */
function skipName(text: string, at: number): Step {
  if (text[at] !== '"') {
    return { kind: 'mistake', at };
  }
  const name = skipString(text, at);
  if (name.kind === 'mistake') {
    return name;
  }
  const colon = skip(SPACE, text, name.at);
  return text[colon] === ':'
    ? { kind: 'opened', at: skip(SPACE, text, colon + 1) }
    : { kind: 'mistake', at: colon };
}

/** Behind a value: closes what ends here, then finds the next value's place. */
function closeOrGoOn(text: string, from: number, open: ('{' | '[')[]): Step {
  let at = skip(SPACE, text, from);
  for (let inner = open.at(-1); inner !== undefined; inner = open.at(-1)) {
    if (text[at] === ',') {
      const next = skip(SPACE, text, at + 1);
      return inner === '{' ? skipName(text, next) : { kind: 'opened', at: next };
    }
    if (text[at] !== closerOf(inner)) {
      return { kind: 'mistake', at };
    }
    open.pop();
    at = skip(SPACE, text, at + 1);
  }
  return { kind: 'done', at };
}

function closerOf(opener: '{' | '['): string {
  return opener === '{' ? '}' : ']';
}
