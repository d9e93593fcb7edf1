import type { Aim } from '../../../domain/design/aims.js';
import type { Language } from '../../../domain/text/languages.js';
import { withParticle } from './particles.js';

/** What a design and its agents say; `task`, `source` and `output` are filled in. */
export interface DesignWords {
  readonly names: Readonly<Record<Aim, string>>;
  readonly about: Readonly<Record<Aim, (task: string, output: string) => string>>;
  readonly pros: Readonly<Record<Aim, readonly string[]>>;
  readonly cons: Readonly<Record<Aim, readonly string[]>>;
  readonly cost: (range: string) => string;
  readonly revised: (preferences: string, remark: string) => string;
  readonly roles: {
    readonly collector: (source: string, hints: string) => string;
    readonly planner: (task: string) => string;
    readonly analyst: (task: string) => string;
    readonly first: (task: string) => string;
    readonly second: (task: string) => string;
    readonly validator: (task: string) => string;
    readonly critic: (task: string) => string;
    readonly synthesizer: (task: string) => string;
    readonly reporter: (output: string) => string;
  };
}

const EN: DesignWords = {
  names: { speed: 'Speed First', quality: 'Quality First', balanced: 'Balanced' },
  about: {
    speed: (task, output) => `Quick ${task}: gets to ${output} in the fewest steps.`,
    quality: (task, output) =>
      `Thorough ${task}: two views at the same time, joined, checked and written up as ${output}.`,
    balanced: (task, output) =>
      `Solid ${task}: one careful pass with a strong model, written up as ${output}.`,
  },
  pros: {
    speed: ['Fastest answer', 'Lowest cost', 'Easy to follow'],
    quality: ['Two independent views', 'Contradictions are resolved', 'Result is validated'],
    balanced: ['Good depth for its price', 'Strong model where it matters', 'Few moving parts'],
  },
  cons: {
    speed: ['Shallow analysis', 'Errors of the first step are passed on'],
    quality: ['Slowest of the three', 'Highest cost'],
    balanced: ['A single point of view', 'Costs more than the fast design'],
  },
  cost: (range) => `${range} per run with real models; free while simulated`,
  revised: (preferences, remark) =>
    preferences === ''
      ? `Revised with your remark in mind: “${remark}”.`
      : `Revised as you asked: ${preferences}.`,
  roles: {
    collector: (source, hints) => `Gathers the material from ${source}${hints}.`,
    planner: (task) => `Splits the ${task} into questions that can be answered separately.`,
    analyst: (task) => `Works on the ${task} and names the findings with their evidence.`,
    first: (task) =>
      `First of two independent takes on the ${task}: what speaks for it and what is clear.`,
    second: (task) =>
      `Second, independent take on the ${task}: what speaks against it and what is missing.`,
    validator: (task) => `Checks the ${task} for completeness, accuracy and unsupported claims.`,
    critic: (task) => `Cross-checks the ${task} and looks for weak arguments.`,
    synthesizer: (task) => `Joins both views of the ${task} and resolves their contradictions.`,
    reporter: (output) => `Writes the result up as ${output}.`,
  },
};

const KO: DesignWords = {
  names: {
    speed: '속도 우선 (Speed)',
    quality: '품질 우선 (Quality)',
    balanced: '균형 (Balanced)',
  },
  about: {
    speed: (task, output) =>
      `${withParticle(task, '을/를')} 가장 적은 단계로 처리하고 ${withParticle(output, '으로/로')} 정리해요.`,
    quality: (task, output) =>
      `${withParticle(task, '을/를')} 두 관점에서 동시에 진행하고, 합치고, 검증한 뒤 ${withParticle(output, '으로/로')} 정리해요.`,
    balanced: (task, output) =>
      `${withParticle(task, '을/를')} 한 번 충실하게 진행한 뒤 ${withParticle(output, '으로/로')} 정리해요.`,
  },
  pros: {
    speed: ['가장 빠른 응답', '가장 낮은 비용', '이해하기 쉬운 흐름'],
    quality: ['서로 독립된 두 관점', '모순을 정리', '결과를 검증'],
    balanced: ['가격에 비해 충분한 깊이', '중요한 단계에 강한 모델', '단순한 구성'],
  },
  cons: {
    speed: ['얕은 분석', '첫 단계의 오류가 그대로 전달'],
    quality: ['셋 중 가장 느림', '가장 높은 비용'],
    balanced: ['하나의 관점', '빠른 설계보다 높은 비용'],
  },
  cost: (range) => `실제 모델로 실행하면 회당 ${range}, 모의 실행은 무료`,
  revised: (preferences, remark) =>
    preferences === ''
      ? `말씀하신 내용을 반영했어요: “${remark}”.`
      : `요청에 따라 바꿨어요: ${preferences}.`,
  roles: {
    collector: (source, hints) => `${source}에서 자료를 모아요${hints}.`,
    planner: (task) => `${withParticle(task, '을/를')} 따로 답할 수 있는 질문으로 나눠요.`,
    analyst: (task) => `${withParticle(task, '을/를')} 진행하고 근거와 함께 발견을 정리해요.`,
    first: (task) => `${task}에서 긍정적인 근거를 살펴봐요.`,
    second: (task) => `${task}에서 부정적인 근거를 살펴봐요.`,
    validator: (task) => `${task} 결과의 완전성, 정확성, 근거를 검증해요.`,
    critic: (task) => `${task} 결과를 교차 검토하고 약한 논거를 찾아요.`,
    synthesizer: (task) => `${task}의 두 관점을 합치고 모순을 정리해요.`,
    reporter: (output) => `결과를 ${withParticle(output, '으로/로')} 작성해요.`,
  },
};

export const DESIGN_WORDS: Readonly<Record<Language, DesignWords>> = { en: EN, ko: KO };
