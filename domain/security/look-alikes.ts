/**
 * Characters that are drawn like a Latin letter or a sign of ours, so that a word cannot be hidden
 * behind them: those that are indistinguishable in common fonts, and small capitals, which people
 * and models read as letters. Source: Unicode confusables (UTS 39).
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  a: 'аɑαᴀ',
  b: 'ьЬʙ',
  c: 'сϲᴄ',
  d: 'ԁᴅ',
  e: 'еҽᴇ',
  f: 'ꜰ',
  g: 'ɡɢ',
  h: 'һʜ',
  i: 'іιıӏɪ',
  j: 'јϳᴊ',
  k: 'кκᴋ',
  l: 'ⅼʟ',
  m: 'мᴍ',
  n: 'ոпɴ',
  o: 'оοօᴏ',
  p: 'рρᴘ',
  q: 'ԛ',
  r: 'гʀ',
  s: 'ѕꜱ',
  t: 'тτᴛ',
  u: 'υսᴜ',
  v: 'ѵνᴠ',
  w: 'ԝωᴡ',
  x: 'хχ',
  y: 'уγүʏ',
  z: 'ᴢ',
  A: 'АΑ',
  B: 'ВΒ',
  C: 'СϹ',
  D: 'Ꭰ',
  E: 'ЕΕ',
  H: 'НΗ',
  I: 'ІΙӀ',
  J: 'Ј',
  K: 'КΚ',
  M: 'МΜ',
  N: 'ΝꓠИ',
  O: 'ОΟ',
  P: 'РΡ',
  S: 'Ѕ',
  T: 'ТΤ',
  U: 'Ս',
  W: 'Ԝ',
  X: 'ХΧ',
  Y: 'УΥҮ',
  Z: 'Ζ',
  ':': '꞉∶ː։׃',
  '|': '∣ǀ',
  '<': '‹〈',
  '>': '›〉',
};

const LATIN: ReadonlyMap<string, string> = new Map(
  Object.entries(LOOK_ALIKES).flatMap(([latin, others]) =>
    Array.from(others, (other) => [other, latin] as const),
  ),
);

/** The letters drawn like `letter`, itself not included. */
export function lookAlikesOf(letter: string): string {
  return LOOK_ALIKES[letter] ?? '';
}

/** Source of a character class without brackets: characters that are not seen at all. */
export const INVISIBLE =
  '\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180E\\u200B-\\u200F\\u202A-\\u202E' +
  '\\u2060-\\u206F\\u2800\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\u{E0000}-\\u{E01EF}';

const INVISIBLES = new RegExp(`[${INVISIBLE}]+`, 'gu');

/** The text with everything invisible replaced by `by`. */
export function withoutInvisible(text: string, by = ''): string {
  return text.replace(INVISIBLES, by);
}

/** Arabic words in one character, of which some unfold to eighteen: they hide no word of ours. */
const LIGATURES = /[\uFDF0-\uFDFC]/gu;

/** One spelling for what looks the same: compatibility forms, accents and look-alikes folded; case kept. */
export function foldLookAlikes(text: string): string {
  const plain = text
    .replace(LIGATURES, ' ')
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .normalize('NFC');
  return plain.replace(/[^\p{ASCII}\p{Script=Hangul}]/gu, (letter) => LATIN.get(letter) ?? letter);
}
