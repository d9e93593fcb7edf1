import { piecesWithoutRemarks } from '../design/remarks.js';
import { READ_BY_RULES } from './limits.js';

/** The languages that AgentForge answers in; a user is answered in the one they wrote in. */
export const LANGUAGES = ['ko', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

const HANGUL = /\p{Script=Hangul}/u;
/** Words that make the words around them English. */
const ENGLISH_GLUE =
  /^(?:the|an?|and|or|of|to|in|on|for|with|by|from|into|is|are|it|this|that|please|me|my)$/iu;
/** "ok", "option 2", "go ahead": Koreans write these, too. */
const MAX_SHARED_WORDS = 2;

/**
 * Korean where it is written in Hangul, but for a Korean name in an English sentence. A word or two
 * of English alone keep `before`: a Korean who says "ok" goes on in Korean. The beginning decides.
 *
 * @param names of designs: repeating them says nothing about the user's language
 */
export function languageOf(
  text: string,
  before: Language = 'en',
  names: readonly string[] = [],
): Language {
  const words = wordsOf(withoutNames(text.slice(0, READ_BY_RULES), names));
  const korean = words.filter((word) => HANGUL.test(word));
  if (korean.length === 0) {
    return words.length > MAX_SHARED_WORDS ? 'en' : before;
  }
  const glue = words.filter((word) => ENGLISH_GLUE.test(word));
  return glue.length >= 2 && korean.length * 2 < words.length ? 'en' : 'ko';
}

/** Names count in any case, and without their remark in brackets. */
function withoutNames(text: string, names: readonly string[]): string {
  const spellings = names.flatMap((name) => [name, piecesWithoutRemarks(name).join('')]);
  return spellings
    .map((spelling) => spelling.trim().toLowerCase())
    .filter((spelling) => spelling !== '')
    .reduce((rest, spelling) => rest.replaceAll(spelling, ' '), text.toLowerCase());
}

function wordsOf(text: string): readonly string[] {
  return text.match(/\p{L}[\p{L}\p{M}\p{N}'’]*/gu) ?? [];
}
