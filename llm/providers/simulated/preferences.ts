import type { Language } from '../../../domain/text/languages.js';

/** What a user's remark asks of the designs. */
export interface Preferences {
  readonly cheaper: boolean;
  readonly faster: boolean;
  readonly checked: boolean;
  readonly better: boolean;
}

type Preference = keyof Preferences;

const WORDS: Readonly<Record<Preference, RegExp>> = {
  cheaper: /저렴|싸게|싼|비용|비싸|예산|cheap|cost|budget|expensive|save money/,
  faster: /빠르|빨리|빠른|속도|느려|fast|quick|speed|slow/,
  checked: /검증|검토|확인 단계|validat|verif|check|proofread/,
  better: /품질|정확|꼼꼼|깊이|자세|quality|accura|thorough|deep|detail/,
};

const SAID: Readonly<Record<Language, Readonly<Record<Preference, string>>>> = {
  en: {
    cheaper: 'cheaper models',
    faster: 'fewer steps',
    checked: 'a validator in every design',
    better: 'stronger models and a cross-check',
  },
  ko: {
    cheaper: '더 저렴한 모델',
    faster: '더 적은 단계',
    checked: '모든 설계에 검증 단계',
    better: '더 강한 모델과 교차 검토',
  },
};

/** Everything that was said counts; of opposites, the later remark wins. */
export function preferencesIn(feedback: readonly string[]): Preferences {
  const lastAsked = (wish: Preference) =>
    feedback.findLastIndex((remark) => WORDS[wish].test(remark.toLowerCase()));
  return {
    cheaper: lastAsked('cheaper') >= 0 && lastAsked('cheaper') >= lastAsked('better'),
    faster: lastAsked('faster') >= 0,
    checked: lastAsked('checked') >= 0,
    better: lastAsked('better') > lastAsked('cheaper'),
  };
}

export function describePreferences(preferences: Preferences, language: Language): string {
  return (['cheaper', 'faster', 'checked', 'better'] as const)
    .filter((wish) => preferences[wish])
    .map((wish) => SAID[language][wish])
    .join(', ');
}
