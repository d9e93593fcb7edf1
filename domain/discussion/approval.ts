import {
  AGREEING_NEGATION,
  approvesInKorean,
  CHECK,
  COMMAND,
  CONCESSION,
  DECISION_TO_COME,
  DOUBTFUL_SIGN,
  ENGLISH_NEGATION,
  HESITATION,
  isKnownBesideNumber,
  isKnownWord,
  KOREAN_NEGATION,
  plainPhrases,
  PRAISE,
  QUESTION,
} from './approval-words.js';
import { COMPLAINT, DISLIKE, isSoftWord, WISH } from './choice-words.js';
import {
  markReferences,
  MAX_CHOICE,
  ONE_MARK,
  referencesIn,
  replaceMarks,
  type Reference,
} from '../design/references.js';
import type { Design } from '../design/designs.js';

/**
 * Reads a choice out of a message. A wrong "yes" starts a run that costs money, a wrong "no" costs
 * one more question, so the words of a choice are closed lists: one clause that is not understood
 * makes the whole message feedback, also beside approving words.
 * Source: contract, discussion §5 with its Better notes.
 */

/**
 * What one clause of a message does; `tells` is all that is not understood, `leans` what most likely
 * chooses, `remarks` what wishes for no change.
 */
type Mood =
  | ('chooses' | 'approves' | 'commands' | 'rejects' | 'denies' | 'concedes' | 'criticises')
  | ('leans' | 'remarks' | 'tells' | 'fills');

export interface Clause {
  readonly mood: Mood;
  /** After a "but": it outweighs what was said before. */
  readonly isContrast: boolean;
  readonly references: readonly Reference[];
}

export interface Reading {
  readonly marked: string;
  readonly clauses: readonly Clause[];
  /** Designs turned down by words like "not 2" or "2번 말고". */
  readonly rejected: readonly Reference[];
}

const BREAK = '\uE002';
const CONTRAST = '\uE003';

/** Whether the message agrees to a run of one of the designs. */
export function isApproval(text: string, designs: readonly { name: string }[]): boolean {
  if (text.trim().length > MAX_CHOICE) {
    return false;
  }
  const reading = read(text, designs);
  const { marked, clauses } = reading;
  const doubts = [QUESTION, HESITATION, DOUBTFUL_SIGN, CORRECTION];
  const isDoubtful = doubts.some((doubt) => doubt.test(marked));
  if (isDoubtful || objectionsIn(reading).length > 0) {
    return false;
  }
  return clauses.some(isPositive) && isOneChoice(reading, designs.length);
}

/** "2, no 3" means the third as likely as the second. */
const CORRECTION = new RegExp(`${ONE_MARK}\\s*[,.…]+\\s*no\\s+${ONE_MARK}`, 'u');

/** The clauses that take an approval beside them back. */
export function objectionsIn(reading: Reading): readonly Clause[] {
  const wanted = new Set(wantedIn(reading).map(keyOf));
  return reading.clauses.filter(
    (clause, at, all) => isObjection(clause, at, all) && !isOfOthers(clause, wanted),
  );
}

/** "1, because 2 is too expensive": against designs that are not wanted. */
function isOfOthers({ mood, references }: Clause, wanted: ReadonlySet<string>): boolean {
  return (
    (mood === 'criticises' || mood === 'concedes') &&
    wanted.size > 0 &&
    references.length > 0 &&
    !references.some((reference) => wanted.has(keyOf(reference)))
  );
}

/**
 * The design that an approval means: a name (the longest first), else a number, else the
 * recommended one, else the first; never one that the message turns down.
 */
export function chooseDesign(text: string, designs: readonly Design[]): Design | null {
  const reading = read(text, designs);
  const rejected = rejectedIn(reading).map((reference) => designOf(reference, designs));
  const left = designs.filter((design) => !rejected.includes(design));
  const named = wantedIn(reading)
    .map((reference) => designOf(reference, designs))
    .find((design) => design !== undefined && left.includes(design));
  return named ?? left.find((design) => design.recommended) ?? left[0] ?? null;
}

/** The one design that the message names and does not turn down, by name or number. */
export function namesDesign(text: string, designs: readonly Design[]): Design | null {
  const reading = read(text, designs);
  const rejected = rejectedIn(reading).map((reference) => designOf(reference, designs));
  const named = new Set(
    strongest(wantedIn(reading))
      .map((reference) => designOf(reference, designs))
      .filter((design) => design !== undefined && !rejected.includes(design)),
  );
  return named.size === 1 ? (Array.from(named)[0] ?? null) : null;
}

function read(text: string, designs: readonly { name: string }[]): Reading {
  return readMarked(markedOf(text, designs));
}

/** The text with a mark for each design that it names. */
export function markedOf(
  text: string,
  designs: readonly { name: string }[],
  besideNumber = isKnownBesideNumber,
): string {
  const names = designs.map((design) => design.name);
  const marked = markReferences(text.trim().slice(0, MAX_CHOICE), names, besideNumber);
  return marked.replace(AGREEING_NEGATION, ' ');
}

export function readMarked(marked: string): Reading {
  const rejected: Reference[] = [];
  const rest = marked.replace(REJECTION, (phrase) => {
    rejected.push(...referencesIn(phrase));
    return BREAK;
  });
  return { marked, clauses: clausesOf(rest), rejected };
}

const REJECTION = new RegExp(
  [
    `${ONE_MARK}\\s*(?:이나\\s*${ONE_MARK}\\s*)?(?:(?:이|가|은|는|을|를)\\s*)?(?:말고는?|빼고는?|제외하고|대신에?|보다는?|아니고|아니라)`,
    '\\b(?:instead of|rather than|other than|except(?: for)?|(?:any\\w*|every\\w*|all|nothing) but|(?:but |and )?not|over|never|besides|' +
      `(?:don't|dont|do not|won't) (?:choose|select|pick|take|use|want|like|run|start))\\s+(?:the )?${ONE_MARK}` +
      `(?:\\s*(?:,|and|or|nor)\\s*${ONE_MARK})*`,
  ].join('|'),
  'gu',
);

/** Reasons may say anything, once a design is named. */
const BECAUSE = new RegExp(
  `(\uE001[^\uE001.!?;,\\n${CONTRAST}]*?)\\bbecause\\b[^.!?;,\\n${CONTRAST}]*`,
  'gu',
);

const BREAKS = new RegExp(`[\\s${BREAK}]+`, 'gu');
const BETWEEN_CLAUSES = new RegExp(`[\\s${BREAK}${CONTRAST}]+`, 'gu');
const CLAUSE_END = new RegExp(`(?=${CONTRAST})|${BREAK}`, 'u');

function clausesOf(text: string): readonly Clause[] {
  return text
    .replace(/(?<=별로|싫|아니|않|나쁘|없|안 ?하|못 ?하)고(?=\s)/gu, BREAK)
    .replace(/(?<!\p{L})(?:아니요?|아뇨|아니다)\s+(?=\uE000)/gu, `$&${BREAK}`)
    .replace(/(?<=[요다죠네군서고]|니까)\s+(?=\uE000)/gu, BREAK)
    .replace(
      /\b(?:but|however|except)\b|하지만|그런데|근데|그러나|다만|(?<!\p{L})단(?=[\s,])/gu,
      CONTRAST,
    )
    .replace(/지만(?!\p{L})|(?<!가운)(?<=\p{L})데요?(?=[\s,]|$)/gu, `$&${CONTRAST}`)
    .replace(BECAUSE, `$1${BREAK}`)
    .replace(/[.,](?!\d)|[:;!?\n…。、~]+|\b(?:and|although|though|so)\b|그리고/gu, BREAK)
    .replace(BETWEEN_CLAUSES, (run) => (run.includes(CONTRAST) ? run.replace(BREAKS, '') : run))
    .split(CLAUSE_END)
    .map((raw) => clauseOf(raw.replace(CONTRAST, ' '), raw.startsWith(CONTRAST)))
    .filter((clause) => clause !== null);
}

function clauseOf(raw: string, isContrast: boolean): Clause | null {
  const text = raw
    .replace(/["()[\]*]/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  if (!/[\p{L}\p{N}\uE000]/u.test(text)) {
    return null;
  }
  return { mood: moodOf(text), isContrast, references: referencesIn(text) };
}

function moodOf(text: string): Mood {
  const plain = plainPhrases(replaceMarks(text, ' ◆ ').replace(/\s+/gu, ' '));
  if (ENGLISH_NEGATION.test(plain) || KOREAN_NEGATION.test(plain) || PLAIN_NO.test(plain)) {
    return plain.includes('◆') || PLAIN_NO.test(plain) ? 'rejects' : 'denies';
  }
  if (CONCESSION.test(plain)) {
    return 'concedes';
  }
  const words = plain.split(' ').filter((word) => /[\p{L}\p{N}◆]/u.test(word));
  const isUnderstood = words.every((word) => word === '◆' || isKnownWord(word));
  if (!isUnderstood || CHECK.test(plain)) {
    return PRAISE.test(plain) ? 'fills' : moodOfUnknown(plain, words);
  }
  return moodOfKnown(plain, words);
}

/** Of a clause that starts no run; it may leave a choice likely. */
function moodOfUnknown(plain: string, words: readonly string[]): Mood {
  if (COMPLAINT.test(plain)) {
    return 'criticises';
  }
  if ([CHECK, WISH, DISLIKE].some((sign) => sign.test(plain))) {
    return 'tells';
  }
  const isSoft = words.every((word) => word === '◆' || isKnownWord(word) || isSoftWord(word));
  return isSoft && plain.includes('◆') ? 'leans' : 'remarks';
}

/** Of a clause that consists of choosing words only. */
function moodOfKnown(plain: string, words: readonly string[]): Mood {
  if (plain.includes('◆')) {
    return 'chooses';
  }
  if (DECISION_TO_COME.test(plain)) {
    return 'tells';
  }
  if (approvesInKorean(plain) || words.some((word) => APPROVALS.has(word))) {
    return 'approves';
  }
  return COMMAND.test(plain) ? 'commands' : 'fills';
}

const PLAIN_NO = /^(?:no|nope|nah|아니|아니요|아뇨|아니다)(?: thanks| thank you)?$/u;
const APPROVALS = new Set(
  'ok okay good confirm confirmed select choose approve approved agree agreed lgtm'.split(' '),
);

/** A concession counts only where the approval that it belongs to follows with a "but". */
function isObjection({ mood, isContrast }: Clause, at: number, all: readonly Clause[]): boolean {
  if (mood === 'concedes') {
    const next = all[at + 1];
    return isContrast || next === undefined || !next.isContrast || !isPositive(next);
  }
  return OBJECTIONS.has(mood);
}

const OBJECTIONS: ReadonlySet<Mood> = new Set([
  ...(['tells', 'leans', 'remarks', 'denies', 'criticises'] as const),
]);

function isPositive({ mood }: Clause): boolean {
  return mood === 'chooses' || mood === 'approves' || mood === 'commands';
}

/** At most one design is wanted, it exists, and it is named where another was turned down. */
function isOneChoice(reading: Reading, count: number): boolean {
  const wanted = strongest(wantedIn(reading));
  const turnedDown = rejectedIn(reading);
  const isExisting = wanted.every(
    (reference) =>
      reference.kind === 'recommended' || (reference.index >= 0 && reference.index < count),
  );
  const hasRejection =
    turnedDown.length > 0 || reading.clauses.some(({ mood }) => mood === 'rejects');
  const keys = new Set(wanted.map(keyOf));
  const isTurnedDown = turnedDown.some((reference) => keys.has(keyOf(reference)));
  return isExisting && keys.size <= 1 && !isTurnedDown && (!hasRejection || keys.size === 1);
}

/** Names before numbers before "the recommended one". */
export function strongest(references: readonly Reference[]): readonly Reference[] {
  const kinds = ['name', 'number', 'recommended'] as const;
  const kind = kinds.find((one) => references.some((reference) => reference.kind === one));
  return references.filter((reference) => reference.kind === kind);
}

export function wantedIn({ clauses }: Reading): readonly Reference[] {
  const choosing = clauses.filter(({ mood }) => mood === 'chooses' || mood === 'approves');
  const all = choosing.some(({ references }) => references.length > 0)
    ? choosing
    : clauses.filter(({ mood }) => mood !== 'rejects' && mood !== 'criticises');
  const references = all.flatMap((clause) => clause.references);
  return [
    ...references.filter(({ kind }) => kind === 'name'),
    ...references.filter(({ kind }) => kind === 'number'),
    ...references.filter(({ kind }) => kind === 'recommended'),
  ];
}

export function rejectedIn({ clauses, rejected }: Reading): readonly Reference[] {
  const inClauses = clauses.filter(({ mood }) => mood === 'rejects');
  return [...rejected, ...inClauses.flatMap((clause) => clause.references)];
}

export function designOf(reference: Reference, designs: readonly Design[]): Design | undefined {
  return reference.kind === 'recommended'
    ? designs.find((design) => design.recommended)
    : designs[reference.index];
}

export function keyOf(reference: Reference): string {
  return reference.kind === 'recommended' ? 'recommended' : String(reference.index);
}
