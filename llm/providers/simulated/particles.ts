/** Korean particles, which go by how the word before them ends. */

const FIRST_SYLLABLE = 0xac00;
const LAST_SYLLABLE = 0xd7a3;
const ENDINGS = 28;
const RIEUL = 8;

type Pair = '을/를' | '이/가' | '은/는' | '으로/로';

/** The word with the particle that fits its end, which a closing bracket or quote may follow. */
export function withParticle(word: string, pair: Pair): string {
  const [afterConsonant = '', afterVowel = ''] = pair.split('/');
  const ending = endingOf(word);
  const isOpen = ending === 0 || (pair === '으로/로' && ending === RIEUL);
  return `${word}${isOpen ? afterVowel : afterConsonant}`;
}

/** 0 for a vowel; Latin letters are taken as Koreans read them. */
function endingOf(word: string): number {
  const last = /([\p{L}\p{N}])[^\p{L}\p{N}]*$/u.exec(word)?.[1] ?? '';
  const code = last.codePointAt(0) ?? 0;
  if (code >= FIRST_SYLLABLE && code <= LAST_SYLLABLE) {
    return (code - FIRST_SYLLABLE) % ENDINGS;
  }
  if (/[l178]/iu.test(last)) {
    return RIEUL;
  }
  return /[mn036]/iu.test(last) ? 1 : 0;
}
