/** What keeps a text of a client from being taken, in Pydantic v2's words: clients show them to people. */

/** In code points, both ends included. */
export interface TextSize {
  readonly min?: number;
  readonly max: number;
}

/** Of what `findUnstorable` takes, as far as JSON Schema can say it. */
export const TEXT_PATTERN = '^[^\\u0000]*$';

export function findTextProblem(text: string, size: TextSize): string | null {
  return findSizeProblem(text, size) ?? findUnstorable(text);
}

export function findSizeProblem(text: string, { min = 0, max }: TextSize): string | null {
  const isTooLong = text.length > 2 * max || (text.length > max && lengthOf(text) > max);
  if (isTooLong) {
    return `String should have at most ${countOf(max)}`;
  }
  const isTooShort = text.length < min || (text.length < 2 * min && lengthOf(text) < min);
  return isTooShort ? `String should have at least ${countOf(min)}` : null;
}

function countOf(limit: number): string {
  return `${limit} character${limit === 1 ? '' : 's'}`;
}

/** NUL and half surrogates, which PostgreSQL and Temporal would not keep as they are. */
export function findUnstorable(text: string): string | null {
  if (text.includes('\0')) {
    return 'Value error, text must not contain NUL characters';
  }
  return text.isWellFormed()
    ? null
    : 'Input should be a valid string, unable to parse raw data as a unicode string';
}

/** Characters as PostgreSQL and Python count them: code points. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let at = 1; at < text.length; at += 1) {
    if (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) {
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
