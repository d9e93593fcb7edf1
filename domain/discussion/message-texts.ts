import type { Critique, Design } from '../design/designs.js';
import type { StreamEvent } from '../events.js';
import type { Language } from '../text/languages.js';

/** Whether the text of an event becomes a message. Source: contract, discussion §8. */
const BECOMES_MESSAGE = {
  user_message_received: false,
  clarification: true,
  designs_presented: true,
  critique_complete: true,
  plan_generated: true,
  security_warning: false,
  error: false,
  pipeline_started: false,
  agent_completed: false,
  pipeline_failed: false,
  pipeline_result: false,
  approval_requested: false,
  approval_decided: false,
  pipeline_waiting: false,
  pipeline_resumed: false,
  agent_waiting: false,
} as const satisfies Readonly<Record<StreamEvent['type'], boolean>>;

type BecomesMessage = typeof BECOMES_MESSAGE;

export type KeptEvent = {
  [Type in keyof BecomesMessage]: BecomesMessage[Type] extends true
    ? Extract<StreamEvent, { readonly type: Type }>
    : never;
}[keyof BecomesMessage];

export function isKept(event: StreamEvent): event is KeptEvent {
  return BECOMES_MESSAGE[event.type];
}

/**
 * The text of the message that keeps an event. It holds what clients draw beside the `content` of
 * the live event, because after a reload they show the message alone. Source: contract, decision 20.
 */
export function messageText(event: KeptEvent, language: Language): string {
  const lines = linesOf(event, language === 'ko' ? KO : EN);
  return [event.content, ...(lines.length === 0 ? [] : ['', ...lines])].join('\n');
}

interface Words {
  readonly recommended: string;
  readonly agents: string;
  readonly complexity: string;
  readonly cost: string;
  readonly pros: string;
  readonly cons: string;
  readonly concerns: Readonly<Record<Concern, string>>;
  readonly recommendation: string;
  readonly levels: ReadonlyMap<string, string>;
}

type Concern = (typeof CONCERNS)[number];
const CONCERNS = [
  'weaknesses',
  'risks',
  'edge_cases',
  'security_concerns',
  'cost_concerns',
  'scalability_notes',
] as const;

const EN: Words = {
  recommended: 'recommended',
  agents: 'Agents',
  complexity: 'Complexity',
  cost: 'Estimated cost',
  pros: 'Pros',
  cons: 'Cons',
  concerns: {
    weaknesses: 'Weaknesses',
    risks: 'Risks',
    edge_cases: 'Edge cases',
    security_concerns: 'Security',
    cost_concerns: 'Cost',
    scalability_notes: 'Scalability',
  },
  recommendation: 'Recommendation',
  levels: new Map(),
};

const KO: Words = {
  recommended: '추천',
  agents: '에이전트',
  complexity: '복잡도',
  cost: '예상 비용',
  pros: '장점',
  cons: '단점',
  concerns: {
    weaknesses: '약점',
    risks: '위험',
    edge_cases: '예외 상황',
    security_concerns: '보안',
    cost_concerns: '비용',
    scalability_notes: '확장성',
  },
  recommendation: '제안',
  levels: new Map([
    ['low', '낮음'],
    ['medium', '보통'],
    ['high', '높음'],
  ]),
};

function linesOf(event: KeptEvent, words: Words): readonly string[] {
  switch (event.type) {
    case 'clarification':
      return event.questions.map((question, at) => `${at + 1}. ${oneLine(question)}`);
    case 'designs_presented':
      return event.designs.flatMap((design, at) => designLines(design, at + 1, words));
    case 'critique_complete':
      return event.critiques.flatMap((critique) => critiqueLines(critique, words));
    case 'plan_generated':
      return [];
  }
}

function designLines(design: Design, number: number, words: Words): readonly string[] {
  const { name, recommended, description, agents, complexity, pros, cons } = design;
  const remark = recommended ? ` ★ ${words.recommended}` : '';
  return [
    `${number}. ${oneLine(name)}${remark}`,
    ...point('', [description]),
    ...point(words.agents, [agents.map((agent) => agent.name).join(', ')]),
    ...point(words.complexity, [words.levels.get(complexity) ?? complexity]),
    ...point(words.cost, [design.estimated_cost]),
    ...point(words.pros, pros),
    ...point(words.cons, cons),
  ];
}

function critiqueLines(critique: Critique, words: Words): readonly string[] {
  return [
    `- ${oneLine(critique.design_name)}: ${critique.overall_score}/10`,
    ...CONCERNS.flatMap((concern) => point(words.concerns[concern], critique[concern])),
    ...point(words.recommendation, [critique.recommendation]),
  ];
}

/** One line below a numbered or bulleted one, if there is something to say. */
function point(label: string, texts: readonly string[]): readonly string[] {
  const said = texts.map(oneLine).filter((text) => text !== '');
  return said.length === 0 ? [] : [`   - ${label === '' ? '' : `${label}: `}${said.join('; ')}`];
}

function oneLine(text: string): string {
  return text.trim().split(/\s+/u).join(' ');
}
