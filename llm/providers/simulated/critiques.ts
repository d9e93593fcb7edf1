import { critiquesByRules } from '../../../domain/discussion/critique-rules.js';
import type { Critique, Design } from '../../../domain/design/designs.js';
import type { Language } from '../../../domain/text/languages.js';
import { withParticle } from './particles.js';
import { SIMULATED_MARK, excerptOf, type PurposeOf } from './purposes.js';

interface Words {
  readonly parallel: (names: string) => string;
  readonly chain: (first: string, last: string) => string;
  readonly asked: (remark: string) => string;
  readonly source: (name: string) => string;
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    parallel: (names) => `${names} run at the same time; the join waits for the slower one`,
    chain: (first, last) => `An error of "${first}" reaches "${last}" unseen`,
    asked: (remark) => `Whether it answers your remark “${remark}” shows only in a run`,
    source: (name) => `"${name}" depends on a source that may be empty or unreachable`,
  },
  ko: {
    parallel: (names) =>
      `${withParticle(names, '이/가')} 동시에 실행되고, 합치는 단계는 느린 쪽을 기다려요`,
    chain: (first, last) => `"${first}"의 오류가 "${last}"까지 그대로 전달될 수 있어요`,
    asked: (remark) => `말씀하신 “${remark}”에 충분한지는 실행해 봐야 알 수 있어요`,
    source: (name) =>
      `${withParticle(`"${name}"`, '은/는')} 비어 있거나 접근할 수 없는 소스에 의존해요`,
  },
};

/** The rules' scores, with what is special about each design. */
export function simulateCritiques(purpose: PurposeOf<'critiques'>): readonly Critique[] {
  const { designs, intent, language, feedback } = purpose;
  return critiquesByRules(designs, intent, language).map((critique, index) => {
    const design = designs[index];
    return design === undefined ? critique : sharpen(critique, { design, language, feedback });
  });
}

interface Subject {
  readonly design: Design;
  readonly language: Language;
  readonly feedback: string;
}

function sharpen(critique: Critique, { design, language, feedback }: Subject): Critique {
  const words = WORDS[language];
  const names = design.agents.map(({ name }) => name);
  const branches = branchesOf(design);
  const collector = design.agents.find(({ role }) => role === 'collector');
  const remark = excerptOf(feedback, 60);
  return {
    ...critique,
    weaknesses: [...critique.weaknesses, words.chain(names[0] ?? '', names.at(-1) ?? '')],
    risks: [
      ...critique.risks,
      ...(collector === undefined ? [] : [words.source(collector.name)]),
      ...(remark === '' ? [] : [words.asked(remark)]),
    ],
    scalability_notes: [
      ...critique.scalability_notes,
      ...(branches.length < 2 ? [] : [words.parallel(branches.join(', '))]),
    ],
    recommendation: `${SIMULATED_MARK[language]} ${critique.recommendation}`,
  };
}

/** Agents that run at the same time, after the first fan-out. */
function branchesOf({ edges }: Design): readonly string[] {
  const all = edges ?? [];
  const fork = all.find(({ source }) => all.filter((edge) => edge.source === source).length > 1);
  return all.filter(({ source }) => source === fork?.source).map(({ target }) => target);
}
