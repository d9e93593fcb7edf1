/**
 * One pass over a JSON text, before anything is made of it: where it stops being JSON, how deep it
 * is nested, how many values it has. Its cost depends on the text's length alone.
 */

export interface JsonBounds {
  /** Objects and lists in each other. */
  readonly maxNesting: number;
  readonly maxValues: number;
}

/** A member of the outermost object: where its name and its value stand. */
export interface JsonMember {
  readonly nameAt: number;
  readonly nameEnd: number;
  readonly valueAt: number;
  /** Behind the value, or behind the space after it. */
  readonly valueEnd: number;
  /** In the value, itself included. */
  readonly values: number;
}

export type JsonScan =
  | { readonly kind: 'valid'; readonly members: readonly JsonMember[] }
  /** It points where Python's decoder points. */
  | { readonly kind: 'mistake'; readonly at: number }
  | { readonly kind: 'too-deep' }
  | { readonly kind: 'too-many' };

export function scanJson(text: string, bounds: JsonBounds): JsonScan {
  const scan: Scan = { text, bounds, at: 0, open: [], values: 0, members: [], member: null };
  skipSpace(scan);
  for (;;) {
    const step = scanValue(scan);
    const next = step === 'done' ? closeOrGoOn(scan) : step;
    if (next === 'end') {
      return scan.at === text.length
        ? { kind: 'valid', members: scan.members }
        : { kind: 'mistake', at: scan.at };
    }
    if (next !== 'opened') {
      return next === 'mistake' ? { kind: 'mistake', at: scan.at } : { kind: next };
    }
  }
}

interface Scan {
  readonly text: string;
  readonly bounds: JsonBounds;
  at: number;
  /** The openers of what is not closed yet. */
  readonly open: number[];
  values: number;
  readonly members: JsonMember[];
  /** The one of the outermost object that is being read. */
  member: { nameAt: number; nameEnd: number; valueAt: number; valuesBefore: number } | null;
}

/** `opened`: a value is expected next; `end`: behind the outermost one. */
type Step = 'opened' | 'end' | 'mistake' | 'too-deep' | 'too-many';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const FIRST_PRINTABLE = 0x20;

function skipSpace(scan: Scan): void {
  scan.at = skipSpaceIn(scan.text, scan.at);
}

export function skipSpaceIn(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) {
    at += 1;
  }
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** `done`: behind a whole value */
function scanValue(scan: Scan): Step | 'done' {
  scan.values += 1;
  if (scan.values > scan.bounds.maxValues) {
    return 'too-many';
  }
  const first = scan.text.charCodeAt(scan.at);
  if (first === QUOTE) {
    return scanString(scan) ? 'done' : 'mistake';
  }
  return first === BRACE || first === BRACKET ? openContainer(scan, first) : scanScalar(scan);
}

function openContainer(scan: Scan, opener: number): Step | 'done' {
  if (scan.open.length >= scan.bounds.maxNesting) {
    return 'too-deep';
  }
  scan.at += 1;
  skipSpace(scan);
  if (scan.text.charCodeAt(scan.at) === closerOf(opener)) {
    scan.at += 1;
    return 'done';
  }
  scan.open.push(opener);
  return opener === BRACKET || scanName(scan) ? 'opened' : 'mistake';
}

function closerOf(opener: number): number {
  return opener === BRACE ? CLOSING_BRACE : CLOSING_BRACKET;
}

/** A member's name and its colon. */
function scanName(scan: Scan): boolean {
  const nameAt = scan.at;
  if (scan.text.charCodeAt(nameAt) !== QUOTE || !scanString(scan)) {
    return false;
  }
  const nameEnd = scan.at;
  skipSpace(scan);
  if (scan.text.charCodeAt(scan.at) !== COLON) {
    return false;
  }
  scan.at += 1;
  skipSpace(scan);
  if (scan.open.length === 1) {
    scan.member = { nameAt, nameEnd, valueAt: scan.at, valuesBefore: scan.values };
  }
  return true;
}

/** Leaves `at` behind the string, or at the mistake: its opening quote, if it does not end. */
function scanString(scan: Scan): boolean {
  const { text } = scan;
  let at = scan.at + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      scan.at = at + 1;
      return true;
    }
    const size = code === BACKSLASH ? escapeSizeAt(text, at) : code < FIRST_PRINTABLE ? 0 : 1;
    if (size === 0) {
      scan.at = at;
      return false;
    }
    at += size;
  }
  return false;
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** 0: it is none */
function escapeSizeAt(text: string, at: number): number {
  ESCAPE.lastIndex = at;
  return ESCAPE.test(text) ? ESCAPE.lastIndex - at : 0;
}

const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

function scanScalar(scan: Scan): 'done' | 'mistake' {
  SCALAR.lastIndex = scan.at;
  if (!SCALAR.test(scan.text)) {
    return 'mistake';
  }
  scan.at = SCALAR.lastIndex;
  return 'done';
}

/** Behind a value: closes what ends here, then finds the next value's place. */
function closeOrGoOn(scan: Scan): Step {
  for (;;) {
    skipSpace(scan);
    const inner = scan.open.at(-1);
    if (inner === undefined) {
      return 'end';
    }
    const code = scan.text.charCodeAt(scan.at);
    if (code !== COMMA && code !== closerOf(inner)) {
      return 'mistake';
    }
    endMember(scan);
    scan.at += 1;
    if (code === COMMA) {
      skipSpace(scan);
      return inner === BRACKET || scanName(scan) ? 'opened' : 'mistake';
    }
    scan.open.pop();
  }
}

function endMember(scan: Scan): void {
  if (scan.open.length === 1 && scan.member !== null) {
    const { valuesBefore, ...places } = scan.member;
    scan.members.push({ ...places, valueEnd: scan.at, values: scan.values - valuesBefore });
    scan.member = null;
  }
}
