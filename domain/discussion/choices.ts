import {
  chooseDesign,
  designOf,
  isApproval,
  keyOf,
  markedOf,
  objectionsIn,
  readMarked,
  rejectedIn,
  strongest,
  type Clause,
  type Reading,
} from './approval.js';
import { HESITATION, isKnownBesideNumber, QUESTION } from './approval-words.js';
import { isPlainNo, isPlainYes, isSoftWord, POLITE_QUESTION, SOFT_DOUBT } from './choice-words.js';
import { ONE_MARK } from '../design/references.js';
import type { Design } from '../design/designs.js';

export type Choice =
  | { readonly kind: 'chooses'; readonly design: Design }
  /** Most likely this one; it has to be asked, since a run costs money. */
  | { readonly kind: 'leans'; readonly design: Design };

/** A longer text is a discussion of designs, also where it ends with a choice. In characters. */
const MAX_LEANING = 200;

/** The design that a message chooses for certain, or most likely; null where it chooses none. */
export function readChoice(text: string, designs: readonly Design[]): Choice | null {
  if (isApproval(text, designs)) {
    const design = chooseDesign(text, designs);
    return design === null ? null : { kind: 'chooses', design };
  }
  const design = likelyDesign(text, designs);
  return design === null ? null : { kind: 'leans', design };
}

/** The design that a plain "yes" means where we have not asked: the recommended one. */
export function meantByYes(text: string, designs: readonly Design[]): Design | null {
  return isPlainYes(text) ? (designs.find((design) => design.recommended) ?? null) : null;
}

export type Answer = 'yes' | 'no' | 'other';

/** How a message answers our question whether `asked` is the design that was meant. */
export function answerOf(text: string, asked: Design, designs: readonly Design[]): Answer {
  if (isPlainYes(text)) {
    return 'yes';
  }
  if (isPlainNo(text)) {
    return 'no';
  }
  if (!isApproval(text, designs)) {
    return 'other';
  }
  const { clauses } = readMarked(markedOf(text, designs));
  const named = clauses.flatMap(({ references }) => references);
  return named.every((reference) => designOf(reference, designs) === asked) ? 'yes' : 'other';
}

function likelyDesign(text: string, designs: readonly Design[]): Design | null {
  if (text.trim().length > MAX_LEANING) {
    return null;
  }
  const marked = corrected(markedOf(plainer(text), designs, mayStandBeside));
  const firm = marked.replace(SOFT_DOUBT, ' ').replace(/\s+/gu, ' ').trim();
  if (
    SEVERAL.test(text) ||
    DISAPPROVING_SIGN.test(text) ||
    HESITATION.test(firm) ||
    isRealQuestion(firm)
  ) {
    return null;
  }
  return designLeanedTo(readMarked(firm.replaceAll('?', ' ')), designs);
}

const SEVERAL =
  /\b(?:all|both|either|each|every|between|two of|three of)\b(?! the way)|[둘셋] ?다|모두|전부|각각|\d ?번? ?[-~∼〜–] ?\d/iu;
const DISAPPROVING_SIGN = /[👎❌🚫✖]/u;

function mayStandBeside(word: string): boolean {
  return isKnownBesideNumber(word) || isSoftWord(word);
}

/** What is said against one design and for another, in words that the rules for clauses read. */
function corrected(marked: string): string {
  return marked
    .replace(NOT_THAT_BUT, '$1. ')
    .replace(THAT_NO, 'no. ')
    .replace(/^\s*(?:no|nope|nah|oh no|\u1102{2,})\s+(?=\uE000)/u, 'no. ')
    .replace(INSTEAD_OF, 'no. ')
    .replace(WORSE, '$2')
    .replace(BETTER, '$1 is better')
    .replace(REASON, '');
}

const WORSE = new RegExp(
  `(${ONE_MARK})\\s+is (?:much |far )?worse than (?:the )?\\s*(${ONE_MARK})`,
  'gu',
);
const BETTER = new RegExp(
  `(${ONE_MARK})\\s+(?:(?:is|looks|seems|sounds) (?:much |far )?(?:better|nicer|cheaper|faster) than|beats)\\s+(?:the )?${ONE_MARK}`,
  'gu',
);
/** "2? no, 3" */
const THAT_NO = new RegExp(
  `^\\s*${ONE_MARK}(?: *(?:이요|요))?[\\s?.…,-]*(?:no(?: wait)?|(?:아 )?아니다?|취소)[\\s,.]+(?=${ONE_MARK}[^\uE000]*$)`,
  'u',
);
/** "cancel 2, go with 3" */
const INSTEAD_OF = new RegExp(
  `^\\s*(?:cancel|forget|drop|scrap|skip)\\s+${ONE_MARK}[\\s,.;]*(?:and )?(?=[^\uE000]{0,30}${ONE_MARK}[^\uE000]*$)`,
  'u',
);
/** Reasons may say anything but name another design. */
const REASON = new RegExp(
  `[,;]? ?\\b(?:(?:since|as|cause|cuz) (?:it|that|this|i|we)|(?:it is|it's|it looks|it seems) (?:\\w+ )?(?:cheap|fast|simpl|quick|bett|good|nice))(?:[^\uE000.!?;\\n]*)`,
  'gu',
);

/** "not 2, the first one": the list of what is not wanted ends before the last design. */
const NOT_THAT_BUT = new RegExp(
  `(\\bnot\\s+(?:the )?${ONE_MARK})\\s*,\\s*(?=${ONE_MARK}[^\uE000]*$)`,
  'gu',
);

/** "2?" and "could you run 2?" ask us to do something; "is 2 good?" asks about it. */
function isRealQuestion(marked: string): boolean {
  if (/^(?:would|will|could|should|can|may)\s+\uE000/u.test(marked)) {
    return true;
  }
  if (POLITE_QUESTION.test(marked) || NAMES_ONLY.test(marked)) {
    return /\b(?:what|why|how|which|who|where|when)\b|얼마|왜|뭐|무엇|어떤|어떻게/u.test(marked);
  }
  return QUESTION.test(marked);
}

const NAMES_ONLY = new RegExp(
  `^(?:so |then |그럼 |the )?${ONE_MARK}(?: (?:이요|요|로요|으로요|로|으로|then|please|맞죠|인가요))? *\\?+$`,
  'u',
);

function designLeanedTo(reading: Reading, designs: readonly Design[]): Design | null {
  const spokenOf = reading.clauses.filter(({ mood }) => !AGAINST.has(mood));
  const wanted = strongest(spokenOf.flatMap(({ references }) => references));
  const keys = new Set(wanted.map(keyOf));
  const turnedDown = rejectedIn(reading).some((reference) => keys.has(keyOf(reference)));
  const [reference] = wanted;
  if (reference === undefined || keys.size !== 1 || turnedDown) {
    return null;
  }
  const isChosen = reading.clauses.some(
    ({ mood, references }) => (mood === 'chooses' || mood === 'approves') && references.length > 0,
  );
  const isLikely = objectionsIn(reading).every((clause) => isHarmless(clause, isChosen));
  return isLikely ? (designOf(reference, designs) ?? null) : null;
}

const AGAINST: ReadonlySet<Clause['mood']> = new Set([
  ...(['rejects', 'criticises', 'concedes'] as const),
]);

/** Beside a choice that is plain, a remark may say anything but a wish. */
function isHarmless({ mood, references }: Clause, isChosen: boolean): boolean {
  return mood === 'leans' || (mood === 'remarks' && isChosen && references.length === 0);
}

/** Words for one of the three that are sure enough to ask about, as words that are read. */
function plainer(text: string): string {
  return text
    .normalize('NFC')
    .replace(WHOLE_AIM, (_whole, aim: string) => `the ${AIM_CALLED[aim.toLowerCase()] ?? aim} one`)
    .replace(
      /\b(?:the )?(?:cheap|cheaper|cheapest) (?:one|option|design|plan)\b/giu,
      'the fast one',
    )
    .replace(/\bthe cheapest\b(?=\W*$)/giu, 'the fast one')
    .replace(/\bthe (fastest|quickest)\b(?=\W*$)/giu, 'the $1 one')
    .replace(/\b(?:the )?(?:middle|mid) (?:one|option|design)\b/giu, 'the balanced one')
    .replace(/\bthe last\b(?=\W*$)/giu, 'the last one')
    .replace(/\b(fast|quick|quality|balanced) (?=one\b)(?<!the \w+ )/giu, 'the $1 ')
    .replace(
      /\bwhat(?:ever)? you(?:'d| would)? (?:recommend|suggest)(?:ed)?\b/giu,
      'the recommended one',
    )
    .replace(/^(?:the )?recommended\b(?=\W*$)/iu, 'the recommended one')
    .replace(/\bgo (?:with )?(quality|balanced|speed)\b(?=\W*$)/giu, 'go with the $1 one')
    .replace(/(?:제일|가장)\s+(?=빠른|싼|저렴한|꼼꼼한)|맨\s+(?=마지막)/gu, '')
    .replace(/(?<!\p{L})(?:싼|저렴한)\s*(?=[거것걸꺼])/gu, '빠른 ')
    .replace(/(?<!\p{L})(?:중간|가운데)\s*(?=[거것걸꺼])/gu, '균형 ')
    .replace(/(?<!\p{L})맨\s*(?:처음|앞|위)(?:에)?\s*(?=[거것걸꺼])/gu, '첫 번째 ')
    .replace(/^마지막(?=으로)/u, '마지막 안')
    .replace(/해 ?주실 수 (?:있나요|있을까요|있어요|있으신가요)/gu, '해주세요')
    .replace(/^추천(?=\W*$)/u, '추천안')
    .replace(/^(?:(?:세|3) ?개|셋) ?중(?:에서|에)?(?= )/u, '')
    .replace(/^아 아니다(?= )/u, '아니')
    .replace(
      /(?<=\d ?번)으로 ?(?:바꿀게요|바꿀래요|바꿔 ?주세요|바꿔 ?줘요?|변경(?:할게요|해 ?주세요|해 ?줘요?)?)(?=[^\p{L}]*$)/u,
      '으로 하려고요',
    )
    .replace(/(?<!\p{L})이번(?=으로\s*(?:할|하|해|갈|가|진행|선택|부탁)|이요\W*$)/gu, '2번');
}

const WHOLE_AIM =
  /^\W*(speed|quality|balanced|fast|fastest|속도|품질|균형|꼼꼼)(?:\s*(?:first|우선))?(?:\s*(?:으?로|이요|요|위주로|please|pls|plz))?[\s.!~]*$/iu;
const AIM_CALLED: Readonly<Record<string, string>> = {
  ...{ 속도: 'speed', 품질: 'quality', 균형: 'balanced', 꼼꼼: 'quality' },
};
