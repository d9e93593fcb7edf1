/**
 * What may be written to a log or a span: texts and fields without secrets, within bounds. A text is
 * cut before it is masked, so what masking costs does not depend on who has sent how much; each
 * expression here is linear nevertheless.
 */
export const MASK = '[masked]';

/** Of one text, in UTF-16 units: a stack or a message fits, a page or a prompt does not. */
export const MAX_TEXT_CHARACTERS = 8_192;
/** Of all texts of a line together. */
const MAX_LINE_CHARACTERS = 65_536;
const MAX_NAME_CHARACTERS = 100;
/** Of a request's path; ours are shorter than 200. */
const MAX_PATH_CHARACTERS = 1_024;
/** Objects, lists and causes within each other. */
const MAX_DEPTH = 8;
/** Of an object or a list. */
const MAX_ENTRIES = 100;
/** Of a line. */
const MAX_VALUES = 1_000;

const CUT = '…';
const CIRCULAR = '[circular]';
const TOO_DEEP = '[too deep]';
const TOO_MANY = '[too many]';
const UNPRINTABLE = '[unprintable]';
const UNREADABLE = '[unreadable]';

const SECRET_NAME = /pass(word)?|secret|token|api_?key|authorization|cookie|credential/i;
/** Keys of vendors and our own API keys. */
const KEYS = /\b(?:sk-[\w-]{8,}|AIza[\w-]{10,})/g;
/** What keys and JSON web tokens begin with. */
const KEY_START = /\b(?:sk-|AIza|eyJ)/;
const TOKEN_START = /\beyJ(?=[\w-])/;
const TOKEN_CHARACTER = /[\w-]/;
const TOKEN_OR_DOT = /[\w.-]/;
const HEAD_OF_TOKEN = /^[\w-]*/;
const WHOLE_PART = /^[\w-]+$/;
/** From an address's double slash to the password that follows a user's name. */
const BEFORE_PASSWORD = /:\/\/[^\s:/@]*:/g;
const AFTER_PASSWORD = /[\s@]/g;

/** The beginning of a text, everything key-shaped in it replaced; also what a cut leaves of a key. */
export function maskText(text: string, maxCharacters = MAX_TEXT_CHARACTERS): string {
  const isCut = text.length > maxCharacters;
  const kept = isCut ? text.slice(0, maxCharacters).replace(/[\uD800-\uDBFF]$/, '') : text;
  const withoutKeys = maskTokens(isCut ? withoutBrokenKey(kept) : kept).replace(KEYS, MASK);
  return maskPasswords(withoutKeys, isCut);
}

/** Anybody may ask for any path. */
export function pathForLog(path: string): string {
  return maskText(path, MAX_PATH_CHARACTERS);
}

/** A key that the cut has gone through is no longer shaped like one. */
function withoutBrokenKey(text: string): string {
  const end = text.slice(runStart(text, TOKEN_OR_DOT));
  const found = KEY_START.exec(end);
  return found === null ? text : text.slice(0, text.length - end.length + found.index) + MASK;
}

/** JSON web tokens: three parts with dots between them, of which the last may be empty. */
function maskTokens(text: string): string {
  const parts = text.split('.');
  const masked: string[] = [];
  let at = 0;
  for (let part = parts[at]; part !== undefined; part = parts[at]) {
    const start = tokenStart(part);
    const [second, third] = parts.slice(at + 1, at + 3);
    if (start === null || second === undefined || third === undefined || !WHOLE_PART.test(second)) {
      masked.push(part);
      at += 1;
    } else {
      parts[at + 2] = part.slice(0, start) + MASK + third.replace(HEAD_OF_TOKEN, '');
      at += 2;
    }
  }
  return masked.join('.');
}

/** Where the token begins whose first part a text ends with. */
function tokenStart(part: string): number | null {
  const run = runStart(part, TOKEN_CHARACTER);
  const found = TOKEN_START.exec(part.slice(run));
  return found === null ? null : run + found.index;
}

/** Where the run of such characters begins that a text ends with. */
function runStart(text: string, character: RegExp): number {
  let start = text.length;
  while (start > 0 && character.test(text.charAt(start - 1))) {
    start -= 1;
  }
  return start;
}

/** `postgres://user:secret@host`. Each place is looked at once, whether or not it is an address. */
function maskPasswords(text: string, isCut: boolean): string {
  let masked = '';
  let copied = 0;
  BEFORE_PASSWORD.lastIndex = 0;
  while (BEFORE_PASSWORD.test(text)) {
    const start = BEFORE_PASSWORD.lastIndex;
    AFTER_PASSWORD.lastIndex = start;
    const end = AFTER_PASSWORD.exec(text);
    const until = end?.index ?? text.length;
    const isPassword = end === null ? isCut : end[0] === '@';
    if (isPassword && until > start) {
      masked += text.slice(copied, start) + MASK;
      copied = until;
    }
    BEFORE_PASSWORD.lastIndex = until;
  }
  return masked + text.slice(copied);
}

/** What is left of a line's room; and what is being written, so that no cycle is followed. */
interface Line {
  values: number;
  characters: number;
  readonly open: Set<object>;
}

/** The fields of a line; of two with one name the last counts. */
export function maskFields(...sources: readonly object[]): Record<string, unknown> {
  const line: Line = { values: MAX_VALUES, characters: MAX_LINE_CHARACTERS, open: new Set() };
  const masked = sources.map((source) => {
    const fields = readable(() => maskProperties(source, line));
    return typeof fields === 'string' ? { fields } : fields;
  });
  return Object.fromEntries(masked.flatMap((fields) => Object.entries(fields)));
}

function maskValue(name: string, value: unknown, line: Line): unknown {
  line.values -= 1;
  if (line.values < 0) {
    return TOO_MANY;
  }
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) {
    return value; // counts such as `maxTokens` are no secrets
  }
  if (SECRET_NAME.test(name)) {
    return MASK;
  }
  if (typeof value === 'string') {
    return maskIn(value, line);
  }
  return typeof value === 'object' ? maskObject(value, line) : UNPRINTABLE;
}

function maskIn(text: string, line: Line): string {
  const max = Math.min(MAX_TEXT_CHARACTERS, line.characters);
  const masked = maskText(text, max);
  line.characters -= Math.min(text.length, max);
  return text.length > max ? `${masked}${CUT}` : masked;
}

function maskUnknown(value: unknown, line: Line): string | null {
  return typeof value === 'string' ? maskIn(value, line) : null;
}

function maskObject(value: object, line: Line): unknown {
  if (line.open.has(value)) {
    return CIRCULAR;
  }
  if (line.open.size >= MAX_DEPTH) {
    return TOO_DEEP;
  }
  line.open.add(value);
  const masked = readable(() => maskContents(value, line));
  line.open.delete(value);
  return masked;
}

function maskContents(value: object, line: Line): unknown {
  if (value instanceof Error) {
    return maskError(value, line);
  }
  if (Array.isArray(value) || value instanceof Set) {
    return maskItems(value, line);
  }
  if (value instanceof Map) {
    return maskEntries(value.keys(), (key) => value.get(key), line);
  }
  if (value instanceof Date || value instanceof URL) {
    return maskUnknown(value.toJSON(), line); // null for a date that is none
  }
  return ArrayBuffer.isView(value) ? `[${value.byteLength} bytes]` : maskProperties(value, line);
}

function maskItems(items: Iterable<unknown>, line: Line): unknown[] {
  const masked: unknown[] = [];
  for (const item of items) {
    if (masked.length === MAX_ENTRIES || line.values <= 0) {
      return [...masked, TOO_MANY];
    }
    masked.push(maskValue('', item, line));
  }
  return masked;
}

function maskProperties(value: object, line: Line): Record<string, unknown> {
  return maskEntries(Object.keys(value), (name) => Reflect.get(value, name), line);
}

function maskEntries<Name>(
  names: Iterable<Name>,
  read: (name: Name) => unknown,
  line: Line,
): Record<string, unknown> {
  const masked: [string, unknown][] = [];
  for (const name of names) {
    if (masked.length === MAX_ENTRIES || line.values <= 0) {
      masked.push([CUT, TOO_MANY]);
      break;
    }
    const plain = readable(() => String(name));
    masked.push([
      maskText(plain, MAX_NAME_CHARACTERS),
      readable(() => maskValue(plain, read(name), line)),
    ]);
  }
  return Object.fromEntries(masked);
}

function maskError(error: Error, line: Line): Record<string, unknown> {
  const textOf = (field: 'name' | 'message' | 'stack') =>
    readable(() => maskUnknown(error[field], line) ?? '');
  const code = readable((): unknown => Reflect.get(error, 'code'));
  const cause = readable(() => error.cause);
  return {
    name: textOf('name'),
    ...(typeof code === 'string' ? { code: maskIn(code, line) } : {}),
    message: textOf('message'),
    stack: textOf('stack'),
    ...(cause instanceof Error ? { cause: maskObject(cause, line) } : {}),
  };
}

/** Getters and proxies run code of their own, which may fail: the line is still written. */
function readable<T>(read: () => T): T | string {
  try {
    return read();
  } catch {
    return UNREADABLE;
  }
}
