import { isTitle } from './titles.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';

/** What each of the three designs puts first. Source: contract, decision 1. */
export type Aim = 'speed' | 'balanced' | 'quality';

export const AIMS: readonly Aim[] = ['speed', 'balanced', 'quality'];

const SHOWN_BY: Readonly<Record<Aim, RegExp>> = {
  speed: /speed|fast|quick|속도|빠른|신속/iu,
  balanced: /balanc|균형/iu,
  quality: /quality|thorough|품질|꼼꼼/iu,
};

const LABELS: Readonly<Record<Language, Readonly<Record<Aim, string>>>> = {
  en: { speed: 'speed', balanced: 'balanced', quality: 'quality' },
  ko: { speed: '속도 우선', balanced: '균형', quality: '품질 우선' },
};

const TITLES: Readonly<Record<Language, Readonly<Record<Aim, string>>>> = {
  en: { speed: 'Speed first', balanced: 'Balanced', quality: 'Quality first' },
  ko: { speed: '속도 우선', balanced: '균형', quality: '품질 우선' },
};

/** What a design's name says that it puts first; null if it says nothing, or two things. */
export function aimOf(name: string): Aim | null {
  const [aim, ...others] = AIMS.filter((one) => SHOWN_BY[one].test(name));
  return aim === undefined || others.length > 0 ? null : aim;
}

interface Named {
  readonly name: string;
  readonly complexity: string;
}

/** The order in which models are asked for the three. */
const ASKED: readonly Aim[] = ['speed', 'quality', 'balanced'];
const RANKS: Readonly<Record<string, number>> = { low: 0, medium: 1, high: 2 };
/** Leaves room for a label in the 255 characters of a name. */
const MAX_LABELLED = 230;

/**
 * The three designs, each with a name that makes evident what it puts first. A name that does so
 * stays as it is; others get the aim that is left over, the simplest one speed, in brackets. A name
 * that could be said for something else is replaced.
 */
export function withEvidentAims<D extends Named>(
  designs: readonly D[],
  language: Language,
): readonly D[] {
  const shown = designs.map(({ name }, at) => {
    const aim = aimOf(name);
    return aim !== null && designs.slice(0, at).some((other) => aimOf(other.name) === aim)
      ? null
      : aim;
  });
  const open = designs.filter((_, at) => shown[at] === null);
  const isGraded = new Set(open.map(rankOf)).size > 1;
  const free = (isGraded ? AIMS : ASKED).filter((aim) => !shown.includes(aim));
  const aims = new Map(
    open.toSorted((a, b) => rankOf(a) - rankOf(b)).map((design, at) => [design, free[at]]),
  );
  return designs.map((design, at) => {
    const { name } = design;
    const given = aims.get(design);
    const aim = given ?? shown[at];
    if (aim == null) {
      return design; // more than three
    }
    if (!isTitle(name)) {
      return { ...design, name: TITLES[language][aim] };
    }
    return given === undefined ? design : { ...design, name: labelled(name, aim, language) };
  });
}

function rankOf({ complexity }: Named): number {
  return RANKS[complexity] ?? 1;
}

function labelled(name: string, aim: Aim, language: Language): string {
  return `${previewOf(name.trim(), MAX_LABELLED)} (${LABELS[language][aim]})`;
}
