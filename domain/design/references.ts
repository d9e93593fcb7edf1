import { aimOf, AIMS, type Aim } from './aims.js';
import { withoutInvisible } from '../security/look-alikes.js';
import { piecesWithoutRemarks, remarkTextsOf } from './remarks.js';
import { urlsIn } from '../collector/source-urls.js';

/**
 * Finds the designs that a message speaks of, by name or by number, and marks them, so that the
 * words of a name are not read as the user's own.
 */
export type Reference =
  | { readonly kind: 'name'; readonly index: number }
  /** `index` may lie outside of the list. */
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'recommended' };

/** Characters of a mark; private use, removed from what a user sends. */
const MARK = '\uE000([nd])(-?\\d+)\uE001|\uE000(r)\uE001';
const MARKS = new RegExp(MARK, 'gu');
export const ONE_MARK = `(?:${MARK.replaceAll('(', '(?:')})`;

/** A message that only chooses is short; what is longer carries wishes. In characters. */
export const MAX_CHOICE = 1_000;

const NOUN = 'option|opt|design|number|plan|choice|alternative|proposal|pipeline|variant';
const DIGITS = '(?<![\\d.,$€₩-])(\\d{1,4})';
/** Not "12" for 1, "1.5", "10%", "2x". */
const WHOLE = '(?![\\da-z%]|[.,:/]\\d)';

const ORDINALS: readonly (readonly [source: string, index: number])[] = [
  ['first|1st|첫\\s*번\\s*째|첫째', 0],
  ['second|2nd|두\\s*번\\s*째|둘째', 1],
  ['third|3rd|세\\s*번\\s*째|셋째', 2],
];
const WORDS: readonly string[] = ['one', 'two', 'three', 'four', 'five'];

/** 이번 is no 2: it means "this time". */
const SPOKEN_DIGITS: Readonly<Record<string, number>> = { 일: 0, 삼: 2 };

/** "첫 번째로", "첫 번째 설계안", but not "첫 번째 단계". */
const KOREAN_AFTER =
  '(?=\\s*(?:$|[.,!?]|으?로|[가이는은를을요도]|[거것걸게안꺼]|설계|옵션|디자인|보다|말고|대신|빼고|선택|결정|좋|괜찮|확인|승인|진행|실행|해|하|부탁))';

/**
 * The text in one spelling, with a mark for each design that it names.
 *
 * @param besideNumber whether a number beside this word may name a design
 */
export function markReferences(
  text: string,
  names: readonly string[],
  besideNumber: (word: string) => boolean,
): string {
  let marked = normalize(text);
  const whole = marked.trim();
  for (const { name, index } of spellingsOf(names)) {
    marked =
      name.length > 1
        ? marked.replace(wholeName(name), ` \uE000n${index}\uE001 `)
        : whole === name
          ? `\uE000n${index}\uE001`
          : marked;
  }
  marked = markNumbers(markAims(marked, names), names.length);
  return markBareNumbers(marked.replace(SAID_ONE, ` ${numberMark(0)} `), besideNumber);
}

/** "The quality one", "속도 우선 설계안으로": the words that refer to each of the three. */
const AIM_WORDS: Readonly<Record<Aim, readonly [english: string, korean: string]>> = {
  speed: ['speed|fast|faster|fastest|quick|quicker|quickest', '속도|빠른'],
  balanced: ['balanced', '균형(?:\\s*(?:잡힌|있는))?'],
  quality: ['quality|best quality|thorough', '품질(?:\\s*(?:좋은|높은))?|꼼꼼한'],
};
const KOREAN_NOUN = '(?:설계안?|디자인|옵션|안|걸|것|거|꺼)(?=\\s|$|으?로|[을를이가은는요.,!])';
/** "이 속도로 진행해 주세요" speaks of a pace, not of a design. */
const OF_ITS_OWN = '(?<!\\p{L})(?:이|그|저|제|내|우리|빠른)\\s*';
const KOREAN_TAKING = '(?=으?로\\s*(?:할|해|하|가|갈|진행|실행|시작|선택|결정|확정|부탁))';

function markAims(text: string, names: readonly string[]): string {
  return AIMS.reduce((marked, aim) => {
    const indexes = names.flatMap((name, index) => (aimOf(name) === aim ? [index] : []));
    const [index] = indexes;
    if (index === undefined || indexes.length > 1) {
      return marked;
    }
    const [english, korean] = AIM_WORDS[aim];
    const said = [
      `\\b(?:the|your) (?:${english})(?:[ -]first)? (?:one|${NOUN})\\b`,
      `(?<!\\p{L}|${OF_ITS_OWN})(?:${korean}|${english})(?:\\s*우선|\\s*first)?\\s*(?:${KOREAN_NOUN}|${KOREAN_TAKING})`,
    ].join('|');
    return marked.replace(new RegExp(said, 'gu'), ` \uE000n${index}\uE001 `);
  }, text);
}

/** "One" is a number only where nothing else can be meant: not in "choose one for me". */
const SAID_ONE =
  /one(?<=(?:^|[.,;:!?]\s*|\b(?:ok|okay|yes|yep|confirm|approve) |\b(?:i|we|i'll|we'll)(?: will)? (?:choose|select|pick) )one)(?=\s*(?:$|[.,;!]|please|pls|thanks|thank you|(?:is|looks|sounds|seems) ))/gu;

export function replaceMarks(marked: string, by: string): string {
  return marked.replace(MARKS, by);
}

/** The references that are marked in a text, in order. */
export function referencesIn(marked: string): readonly Reference[] {
  return Array.from(marked.matchAll(MARKS), ([, kind, index]) => {
    if (kind === undefined) {
      return { kind: 'recommended' };
    }
    return { kind: kind === 'n' ? 'name' : 'number', index: Number(index) };
  });
}

function normalize(text: string): string {
  const urls = urlsIn(text.slice(0, MAX_CHOICE));
  const plain = urls.reduce((rest, url) => rest.replaceAll(url, ' url '), text);
  return withoutInvisible(withPlainDigits(plain).normalize('NFKC'))
    .replace(/[\uE000-\uE00F]/gu, '')
    .replace(/[’‘`]/gu, "'")
    .toLowerCase()
    .replace(/\b(?:i|we)(?:'d| would) (?:like|love|prefer)(?: to)?\b/gu, 'i want');
}

/** ❶ ➀ ➊ to digits, Ⅱ to 2, the keycap off 2️⃣: what NFKC leaves, or turns into letters. */
function withPlainDigits(text: string): string {
  return text
    .replace(/(?<=\d)\uFE0F?\u20E3/gu, ' ')
    .replace(/[\u2776-\u2793]/gu, (digit) => {
      return ` ${((digit.charCodeAt(0) - 0x2776) % 10) + 1} `;
    })
    .replace(/(?<!\p{L})[\u2160-\u2164](?!\p{L})/gu, (digit) => {
      return ` ${digit.charCodeAt(0) - 0x215f} `;
    })
    .replace(/№/gu, '#');
}

/**
 * Each name, also without its remark in brackets, longest first; none that two designs share. A
 * remark of several words that says what the design puts first ("속도 우선") is a name as well.
 */
function spellingsOf(names: readonly string[]): readonly { name: string; index: number }[] {
  const all = names.flatMap((raw, index) => {
    const name = normalize(raw).replace(/\s+/gu, ' ').trim();
    const short = withoutRemarks(name);
    const aims = remarkTextsOf(name).filter(
      (remark) => remark.includes(' ') && aimOf(remark) !== null,
    );
    return [...new Set([name, short, ...aims])].map((spelling) => ({ name: spelling, index }));
  });
  return all
    .filter(({ name }) => /\p{L}/u.test(name))
    .filter(({ name, index }) => !all.some((o) => o.name === name && o.index !== index))
    .sort((a, b) => b.name.length - a.name.length);
}

/** Each remark with the space around it becomes one space. */
function withoutRemarks(name: string): string {
  return piecesWithoutRemarks(name)
    .map((piece) => piece.trim())
    .join(' ')
    .trim();
}

/** "I want it cheap" asks for something, though one design is named "Cheap". */
const AS_ADJECTIVE =
  "(?<!\\b(?:it|this|that|them|(?:it|this|that) is|it's|that's|be|more|very|really|so|too|quite|want|need|prefer|stay|keep) )";

function wholeName(name: string): RegExp {
  const escaped = name.replace(/[.*+?^${}()|[\]\\/]/gu, '\\$&').replaceAll(' ', '\\s+');
  const end = /[a-z\d]$/u.test(name) ? '(?![a-z\\d])' : '';
  const start = name.includes(' ') ? '(?<![\\p{L}\\p{N}])' : `(?<![\\p{L}\\p{N}])${AS_ADJECTIVE}`;
  return new RegExp(`${start}${escaped}${end}`, 'gu');
}

function markNumbers(text: string, count: number): string {
  let marked = text
    .replace(
      /추천(?:해\s*주신|하신|하는|한)?\s*(?:설계안?|디자인|안|것|거|걸)(?=\s|으|로|을|를|$)|추천대로|\b(?:the |your )?(?:recommended (?:one|option|design|plan)|recommendation)\b/gu,
      ' \uE000r\uE001 ',
    )
    .replace(
      new RegExp(
        `\\b(?:the )?last (?:one|${NOUN})\\b|마지막\\s*(?:것|거|걸|안|설계안?|옵션)`,
        'gu',
      ),
      ` ${numberMark(count - 1)} `,
    );
  for (const [source, index] of ORDINALS) {
    const english = `\\b(?:the )?(?:${source}) (?:one|${NOUN})\\b`;
    const alone = `\\bthe (?:${source})\\b(?=\\s*(?:$|[^\\sa-z]|please|is|looks|sounds))`;
    const korean = source.replace(/^[^가-힣]*/u, '');
    const pattern = `${english}|${alone}|(?:${korean})${KOREAN_AFTER}`;
    marked = marked.replace(new RegExp(pattern, 'gu'), ` ${numberMark(index)} `);
  }
  const byDigits = [
    `\\b(?:${NOUN}|no\\.|nr\\.?)s?\\s*(?:[:#]\\s*)?(\\d{1,4})${WHOLE}`,
    `#\\s*(\\d{1,4})${WHOLE}`,
    `(?:설계안|설계|옵션|디자인|번호)\\s*(\\d{1,4})${WHOLE}(?!\\s*(?:개|가지|명|번))`,
    `${DIGITS}\\s*번(?:째)?(?!\\s*(?:이상|이하|반복|씩|정도|더\\s))`,
    `${DIGITS}안(?=\\s|$|[은을이으로도.,!?])`,
    `${DIGITS}(?:st|nd|rd|th) (?:one|${NOUN})\\b`,
    `(?<![\\p{L}\\p{N}])(일|삼)번(?=\\s*(?:$|[.,!]|으?로|이요|이에요|안|설계|을|선택))`,
  ];
  for (const source of byDigits) {
    marked = marked.replace(new RegExp(source, 'gu'), (_hit, digits: string) => {
      return ` ${numberMark(SPOKEN_DIGITS[digits] ?? Number(digits) - 1)} `;
    });
  }
  return marked.replace(
    new RegExp(`\\b(?:${NOUN}) (${WORDS.join('|')})\\b`, 'gu'),
    (_hit, word: string) => ` ${numberMark(WORDS.indexOf(word))} `,
  );
}

/** Marks a number that stands between words which only choose: "good, 2", but not "top 2 sites". */
function markBareNumbers(text: string, besideNumber: (word: string) => boolean): string {
  const isBeside = (part: string | undefined): boolean => isEdgeOrMark(part, besideNumber);
  const parts = text.split(/(\s+)/u);
  return parts
    .map((part, at) => {
      const number = bareNumberOf(part);
      if (number === null) {
        return part;
      }
      const isAfterKnown = endsPhrase(parts[at - 2]) || isBeside(parts[at - 2]);
      const isBeforeKnown = endsPhrase(part) || isBeside(parts[at + 2]);
      return isAfterKnown && isBeforeKnown ? number : part;
    })
    .join('');
}

const BARE =
  /^["'([*]*(\d{1,4}|first|second|third|1st|2nd|3rd|two|three|four|five)["')\]*]*(?:(으?로|이|가|은|는|을|를|요|이요|도|말고|대신|보다)([.,:;!?)\]"']*)|([.,:;!?][.,:;!?)\]"']*)?)$/u;

function bareNumberOf(part: string): string | null {
  const [, word, suffix = '', afterSuffix = '', end = afterSuffix] = BARE.exec(part) ?? [];
  if (word === undefined) {
    return null;
  }
  const ordinal = ORDINALS.find(([source]) => source.split('|').includes(word))?.[1];
  const index = ordinal ?? (WORDS.includes(word) ? WORDS.indexOf(word) : Number(word) - 1);
  return ` ${numberMark(index)} ${suffix}${end}`;
}

function numberMark(index: number): string {
  return `\uE000d${index}\uE001`;
}

function endsPhrase(part: string | undefined): boolean {
  return part === undefined || part === '' || /[.,:;!?]$/u.test(part);
}

function isEdgeOrMark(part: string | undefined, besideNumber: (word: string) => boolean): boolean {
  const word = (part ?? '')
    .replace(/^["'([*]+/u, '')
    .replace(/(?<!["')\]*.,:;!?])["')\]*.,:;!?]+$/u, '')
    .replace(/\p{Extended_Pictographic}/gu, '');
  return word === '' || /[\uE000\uE001]/u.test(word) || BARE.test(word) || besideNumber(word);
}
