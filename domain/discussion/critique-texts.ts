import type { Language } from '../text/languages.js';

/** What the rule-based critique says. */
export interface CritiqueTexts {
  readonly fewAgents: string;
  readonly manyAgents: string;
  readonly manyAgentsCost: string;
  readonly noValidator: string;
  readonly badInput: string;
  strongModels(count: number): string;
  readonly externalData: string;
  readonly sourceAway: string;
  readonly overEngineered: string;
  readonly tooSimple: string;
  readonly canRunInParallel: string;
  readonly cheapAtVolume: string;
  readonly modelAway: string;
  readonly uncheckedClaims: string;
  readonly solid: string;
  solidBut(weakness: string): string;
  readonly viable: string;
  readonly needsWork: string;
}

const KO: CritiqueTexts = {
  fewAgents: '에이전트가 적어서 오류가 나면 복구하기 어려워요.',
  manyAgents: '에이전트가 많아서 서로 맞추는 데 부담이 커요.',
  manyAgentsCost: '에이전트가 많아서 실행할 때마다 비용이 늘어나요.',
  noValidator: '결과를 검증하는 단계가 없어요.',
  badInput: '입력이 잘못되었거나 비어 있으면 그대로 다음 단계로 넘어가요.',
  strongModels: (count) => `비싼 모델을 쓰는 에이전트가 ${count}개예요.`,
  externalData: '외부에서 가져온 데이터는 사용하기 전에 정제해야 해요.',
  sourceAway: '데이터 출처에 접속할 수 없거나 요청이 제한될 수 있어요.',
  overEngineered: '간단한 작업에 비해 설계가 지나치게 복잡해요.',
  tooSimple: '복잡한 작업에 비해 설계가 너무 단순해요.',
  canRunInParallel: '서로 독립된 에이전트는 병렬로 실행할 수 있어요.',
  cheapAtVolume: '모두 저렴한 모델이라 양이 많아도 비용이 낮아요.',
  modelAway: '모델 제공자의 요청 제한이나 장애가 있을 수 있어요.',
  uncheckedClaims: '사실과 다른 내용을 만들어도 다시 확인하는 단계가 없어요.',
  solid: '탄탄한 선택이에요.',
  solidBut: (weakness) => `탄탄한 선택이에요. 다만 이 점을 살펴보세요: ${weakness}`,
  viable: '쓸 수 있지만 눈에 띄는 우려가 있어요.',
  needsWork: '많은 개선이 필요해요.',
};

const EN: CritiqueTexts = {
  fewAgents: 'Few agents: it hardly recovers from an error.',
  manyAgents: 'Many agents: coordinating them is an overhead.',
  manyAgentsCost: 'Many agents make each run more expensive.',
  noValidator: 'No step validates the results.',
  badInput: 'Bad or empty input is passed on unnoticed.',
  strongModels: (count) => `${count} agents use an expensive model.`,
  externalData: 'Data from outside must be sanitised before it is used.',
  sourceAway: 'The data source may be unavailable or rate-limited.',
  overEngineered: 'Over-engineered for a simple task.',
  tooSimple: 'Too simple for a complex task.',
  canRunInParallel: 'Independent agents can be parallelised.',
  cheapAtVolume: 'All models are cheap, so it stays affordable at volume.',
  modelAway: 'The model provider may limit requests or be down.',
  uncheckedClaims: 'Hallucinations pass unchecked.',
  solid: 'A solid choice.',
  solidBut: (weakness) => `A solid choice; mind this: ${weakness}`,
  viable: 'Viable, with notable concerns.',
  needsWork: 'Needs significant improvement.',
};

export function critiqueTexts(language: Language): CritiqueTexts {
  return language === 'ko' ? KO : EN;
}
