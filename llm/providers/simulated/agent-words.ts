import type { Language } from '../../../domain/text/languages.js';

export interface AgentWords {
  readonly goal: (description: string) => string;
  readonly planTitle: (design: string) => string;
  readonly planSteps: readonly string[];
  readonly findingsTitle: (agent: string) => string;
  readonly finding: (source: string) => string;
  readonly fromDescription: (description: string) => string;
  readonly pattern: (design: string, upstream: number) => string;
  readonly checksTitle: (design: string) => string;
  readonly checks: readonly string[];
  readonly pass: (outputs: number) => string;
  readonly nothing: string;
  readonly missing: (agent: string) => string;
  readonly synthesisTitle: (design: string) => string;
  readonly joined: (outputs: number) => string;
  readonly conclusion: (description: string) => string;
  readonly reportTitle: (design: string) => string;
  readonly summaryTitle: string;
  readonly keyFindingsTitle: string;
  readonly recommendationsTitle: string;
  readonly recommendations: readonly string[];
  readonly done: (design: string, upstream: number) => string;
}

const EN: AgentWords = {
  goal: (description) => `Goal: ${description}`,
  planTitle: (design) => `Collection plan for ${design}`,
  planSteps: [
    'Name the fields that the later steps need: text, date, author, rating.',
    'Take the newest entries first and stop at a fixed number, so that runs are comparable.',
    'Remove duplicates and personal data before anything is stored.',
    'Hand the result on as a list of records with their source.',
  ],
  findingsTitle: (agent) => `Findings of ${agent}`,
  finding: (source) => `Based on ${source}`,
  fromDescription: (description) => `the description of the design: ${description}`,
  pattern: (design, upstream) =>
    upstream === 0
      ? `Pattern: for ${design}, there is no earlier output to compare with.`
      : `Pattern: for ${design}, nothing contradicts what ${counted(upstream, 'earlier output')} showed.`,
  checksTitle: (design) => `Checks for ${design}`,
  checks: ['Completeness', 'Accuracy', 'Evidence', 'Form of the output'],
  pass: (outputs) => `pass, ${counted(outputs, 'output')} looked at`,
  nothing: 'fail, there was nothing to look at',
  missing: (agent) => `The output of ${agent} is missing`,
  synthesisTitle: (design) => `Synthesis for ${design}`,
  joined: (outputs) =>
    `Joined ${counted(outputs, 'output')}; where they overlap, the more specific one was kept.`,
  conclusion: (description) => `In short, what the design set out to do: ${description}`,
  reportTitle: (design) => `Report: ${design}`,
  summaryTitle: 'Executive summary',
  keyFindingsTitle: 'Key findings',
  recommendationsTitle: 'Recommendations',
  recommendations: [
    'Run the same design with a registered model key to get real findings.',
    'Check the findings against the sources before acting on them.',
  ],
  done: (design, upstream) =>
    `Done for ${design}, with ${counted(upstream, 'earlier output')} at hand.`,
};

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

const KO: AgentWords = {
  goal: (description) => `목표: ${description}`,
  planTitle: (design) => `${design} 수집 계획`,
  planSteps: [
    '다음 단계에 필요한 항목(본문, 날짜, 작성자, 평점)을 정해요.',
    '최신 항목부터 정해진 개수만 모아서 실행끼리 비교할 수 있게 해요.',
    '저장하기 전에 중복과 개인정보를 제거해요.',
    '출처와 함께 목록으로 다음 단계에 넘겨요.',
  ],
  findingsTitle: (agent) => `${agent}의 분석 결과`,
  finding: (source) => `근거: ${source}`,
  fromDescription: (description) => `설계 설명: ${description}`,
  pattern: (design, upstream) =>
    upstream === 0
      ? `패턴: ${design}에는 비교할 앞선 결과가 없어요.`
      : `패턴: ${design}에서 앞선 결과 ${upstream}개가 같은 방향을 가리키고, 모순은 없어요.`,
  checksTitle: (design) => `${design} 검증 목록`,
  checks: ['완전성', '정확성', '근거', '출력 형식'],
  pass: (outputs) => `통과, 결과 ${outputs}개 확인`,
  nothing: '실패, 확인할 결과가 없음',
  missing: (agent) => `${agent}의 결과가 없어요`,
  synthesisTitle: (design) => `${design} 종합`,
  joined: (outputs) => `결과 ${outputs}개를 합쳤고, 겹치는 부분은 더 구체적인 쪽을 남겼어요.`,
  conclusion: (description) => `요약하면, 이 설계의 목적은 다음과 같아요: ${description}`,
  reportTitle: (design) => `보고서: ${design}`,
  summaryTitle: '핵심 요약',
  keyFindingsTitle: '주요 발견',
  recommendationsTitle: '제안',
  recommendations: [
    '실제 결과를 얻으려면 모델 키를 등록하고 같은 설계를 다시 실행하세요.',
    '결과를 활용하기 전에 출처와 대조해 보세요.',
  ],
  done: (design, upstream) => `${design} 작업을 마쳤어요. 앞선 결과 ${upstream}개를 참고했어요.`,
};

export const AGENT_WORDS: Readonly<Record<Language, AgentWords>> = { en: EN, ko: KO };
