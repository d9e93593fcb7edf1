/** Characters that people do not see and models do: hidden words, reversed lines, padding. */
const UNSEEN =
  /[\p{Cc}\u00AD\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu;
const SPACES = /[\p{Zs}\t]+/gu;

/** One spelling, no hidden characters, single spaces, at most one empty line. */
export function tidy(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .replace(/\r\n?|\p{Zl}|\p{Zp}|[\v\f]/gu, '\n')
    .replace(SPACES, ' ')
    .replace(UNSEEN, (character) => (character === '\n' ? character : ''))
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
