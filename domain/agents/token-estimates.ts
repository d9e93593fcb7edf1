/**
 * About how many tokens a text has, for fitting it into a model's context. On the high side of what
 * the vendors' tokenizers count: letters come three to a token and more, digits and signs mostly one,
 * Korean one to two. What a call reserves is counted apart, as an upper bound (llm/billing/token-estimate.ts).
 */

/** In tenths of a token, so that sums are exact. */
const PER_LETTER = 4;
const PER_SIGN = 10;
/** Outside of ASCII, for each UTF-16 unit. */
const PER_UNIT = 13;

export function estimatedTokens(text: string): number {
  let tenths = 0;
  for (let at = 0; at < text.length; at += 1) {
    tenths += tenthsOf(text.charCodeAt(at));
  }
  return Math.ceil(tenths / 10);
}

/** As much of the beginning of a text as fits; never half a character. */
export function beginningWithin(text: string, tokens: number): string {
  let left = tokens * 10;
  let end = 0;
  while (end < text.length) {
    left -= tenthsOf(text.charCodeAt(end));
    if (left < 0) {
      break;
    }
    end += 1;
  }
  return text.slice(0, wholeCharactersIn(text, end));
}

/** Marks and joiners belong to the character before them, and a pair of surrogates is one. */
const JOINS = /^[\p{M}\p{Cf}\u1160-\u11ff\u{1f3fb}-\u{1f3ff}]/u;
const JOINED_BEFORE = /[\u200d\ud800-\udbff]$/;
/** Longer clusters are no character of any language. */
const MAX_CLUSTER = 32;

function wholeCharactersIn(text: string, end: number): number {
  let at = end;
  while (at > 0 && end - at < MAX_CLUSTER && isInside(text, at)) {
    at -= 1;
  }
  return isInside(text, at) ? end - (isPairSplit(text, end) ? 1 : 0) : at;
}

function isPairSplit(text: string, at: number): boolean {
  return at > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
}

function isInside(text: string, at: number): boolean {
  return at < text.length && at > 0
    ? JOINED_BEFORE.test(text.slice(at - 1, at)) || JOINS.test(text.slice(at, at + 2))
    : false;
}

function tenthsOf(unit: number): number {
  if (unit > 0x7f) {
    return PER_UNIT;
  }
  const isLetter = (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a);
  return isLetter || unit === 0x20 || unit === 0x0a ? PER_LETTER : PER_SIGN;
}

/**
 * Caps that share a room among texts: the longest give way first, the others stay whole.
 *
 * @param sizes of the texts, in tokens
 */
export function sharesOf(sizes: readonly number[], room: number): readonly number[] {
  let left = Math.max(0, room);
  const shares = new Array<number>(sizes.length).fill(0);
  const byLength = [...sizes.entries()].sort(([, one], [, other]) => one - other);
  byLength.forEach(([at, size], done) => {
    const share = Math.min(size, Math.floor(left / (sizes.length - done)));
    shares[at] = share;
    left -= share;
  });
  return shares;
}
