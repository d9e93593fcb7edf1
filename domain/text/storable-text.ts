/**
 * Texts of models, pages and stored JSON as PostgreSQL and UTF-8 can hold them. NUL and half
 * surrogates become U+FFFD, one unit for one, so that lengths and offsets stay.
 * Source: contract, decision 25. Bodies of requests are refused instead, and never come here.
 */

const REPLACEMENT = '\ufffd';

export function toStorableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}

/** A pair of surrogates, half of one, NUL, or any other escape, which hides a backslash. */
const ESCAPE =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u[dD][89a-fA-F][\da-fA-F]{2}|\\u0000|\\[^]/g;
const PAIR_CHARACTERS = 12;
const NUL_ESCAPE = '\\u0000';

/**
 * A JSON document whose texts and names of fields can be stored, at any depth. It works on the
 * document's text, so that no nesting is too deep for it.
 */
export function toStorableJson(json: string): string {
  return toStorableText(json).replaceAll(ESCAPE, (escape) => {
    const isHalf = /^\\u[dD][89a-fA-F]/.test(escape) && escape.length < PAIR_CHARACTERS;
    return isHalf || escape === NUL_ESCAPE ? REPLACEMENT : escape;
  });
}

/** Every text of a document of a known, shallow form; names of fields included. */
export function toStorable<T>(document: T): T;
export function toStorable(value: unknown): unknown {
  if (typeof value === 'string') {
    return toStorableText(value);
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => toStorable(item));
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value);
    return Object.fromEntries(
      fields.map(([name, field]: [string, unknown]) => [toStorableText(name), toStorable(field)]),
    );
  }
  return value;
}

/** Whether two names are one: people and models spell the same letters in more than one way. */
export function comparable(name: string): string {
  return name.normalize('NFC');
}

/**
 * What each of some names is called from now on. One that can be stored keeps its spelling; where
 * two that were different would become equal, the later one gets a suffix as duplicates do.
 */
export function toStorableNames(names: readonly string[]): ReadonlyMap<string, string> {
  const different = [...new Set(names)];
  const isStorable = (name: string): boolean => storableName(name) === name;
  const taken = new Set(different.filter(isStorable).map(comparable));
  const suffixes = new Map<string, number>();
  const entries = different.map((name) => {
    const storable = isStorable(name) ? name : firstFree(storableName(name), taken, suffixes);
    taken.add(comparable(storable));
    return [name, storable] as const;
  });
  return new Map(entries);
}

/** Without `.` and `..` as well: names stand in addresses, and those would be resolved. */
function storableName(name: string): string {
  return /^\.{1,2}$/u.test(name) ? name.replaceAll('.', '_') : toStorableText(name);
}

/** `a`, `a_1`, `a_2` … */
function firstFree(
  name: string,
  taken: ReadonlySet<string>,
  suffixes: Map<string, number>,
): string {
  let suffix = suffixes.get(name) ?? 0;
  const spelled = (): string => (suffix === 0 ? name : `${name}_${suffix}`);
  while (taken.has(comparable(spelled()))) {
    suffix += 1;
  }
  suffixes.set(name, suffix);
  return spelled();
}
