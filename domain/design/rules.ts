import { AGENT_DEFAULTS, type AgentSpec, type Design, type Intent } from './designs.js';
import { designTexts, quotedRequest, type DesignTexts } from './texts.js';
import type { Language } from '../text/languages.js';

/** Source: contract, decision 1 (SEED). */
export const DESIGN_COUNT = 3;

/** Source: contract, discussion §6.2 (fallback designs). */
const SMALL_MODEL = 'gpt-4o-mini';
const STRONG_MODEL = 'gpt-4o';

type Step = readonly [name: string, role: keyof DesignTexts['agents'], model: string];

interface Plan {
  readonly text: 'speed' | 'balanced' | 'quality';
  readonly complexity: 'low' | 'medium' | 'high';
  readonly cost: string;
  readonly suits: Intent['estimated_complexity'];
  /** Only with a source of data. */
  readonly gathering: readonly Step[];
  readonly steps: readonly Step[];
}

const COLLECT: Step = ['data_collector', 'collector', SMALL_MODEL];
const VALIDATE: Step = ['data_validator', 'validator', SMALL_MODEL];

const PLANS: readonly Plan[] = [
  {
    text: 'speed',
    complexity: 'low',
    cost: '~$0.01-0.03 per run',
    suits: 'simple',
    gathering: [COLLECT],
    steps: [
      ['processor', 'analyzer', SMALL_MODEL],
      ['formatter', 'reporter', SMALL_MODEL],
    ],
  },
  {
    text: 'balanced',
    complexity: 'medium',
    cost: '~$0.05-0.10 per run',
    suits: 'standard',
    gathering: [COLLECT, VALIDATE],
    steps: [
      ['analyzer', 'analyzer', STRONG_MODEL],
      ['reporter', 'reporter', SMALL_MODEL],
    ],
  },
  {
    text: 'quality',
    complexity: 'high',
    cost: '~$0.15-0.30 per run',
    suits: 'complex',
    gathering: [COLLECT, VALIDATE],
    steps: [
      ['primary_analyzer', 'analyzer', STRONG_MODEL],
      ['cross_checker', 'critic', STRONG_MODEL],
      ['synthesizer', 'synthesizer', STRONG_MODEL],
      ['reporter', 'reporter', SMALL_MODEL],
    ],
  },
];

/**
 * Three designs without a model: speed first, balanced, quality first; one suits the task.
 *
 * @param request in the user's words, feedback included; told to the agents that work on it
 */
export function designsByRules(
  intent: Intent,
  language: Language,
  request = '',
): readonly Design[] {
  const texts = designTexts(language);
  const hint = quotedRequest(request, language, 'design');
  const order: Order = { intent, texts, request: quotedRequest(request, language, 'agent') };
  return PLANS.map((plan) => ({
    ...texts.designs[plan.text],
    description: `${texts.designs[plan.text].description}${hint}`,
    agents: stepsOf(plan, intent).map((step) => agentOf(step, order)),
    estimated_cost: plan.cost,
    complexity: plan.complexity,
    recommended: plan.suits === intent.estimated_complexity,
    edges: null,
    source_hints: intent.source_hints,
  }));
}

/** What is wrong with a set of designs, or null: three, named apart, each with agents. */
export function checkDesigns(designs: readonly Design[]): string | null {
  if (designs.length !== DESIGN_COUNT) {
    return `expected ${DESIGN_COUNT} designs, got ${designs.length}`;
  }
  const names = designs.map((design) => design.name.normalize('NFKC').trim().toLowerCase());
  if (names.includes('')) {
    return 'a design has no name';
  }
  if (new Set(names).size !== names.length) {
    return 'two designs have the same name';
  }
  const idle = designs.find((design) => design.agents.length === 0);
  return idle === undefined ? null : `design "${idle.name}" has no agents`;
}

/** The designs with exactly one recommended: the first that was, else the balanced one. */
export function withOneRecommendation(designs: readonly Design[]): readonly Design[] {
  const chosen = indexOfRecommended(designs);
  return designs.map((design, index) => ({ ...design, recommended: index === chosen }));
}

function indexOfRecommended(designs: readonly Design[]): number {
  const first = designs.findIndex((design) => design.recommended);
  if (first >= 0) {
    return first;
  }
  const balanced = designs.findIndex((design) => /balanc|균형/iu.test(design.name));
  return balanced >= 0 ? balanced : Math.floor((designs.length - 1) / 2);
}

function stepsOf(plan: Plan, intent: Intent): readonly Step[] {
  return intent.source_type === 'none' ? plan.steps : [...plan.gathering, ...plan.steps];
}

interface Order {
  readonly intent: Intent;
  readonly texts: DesignTexts;
  readonly request: string;
}

/** Roles that work on the request itself; the others work on what these have made of it. */
const WORKERS: readonly string[] = ['analyzer', 'critic'];

function agentOf([name, role, model]: Step, { intent, texts, request }: Order): AgentSpec {
  const told = WORKERS.includes(role) ? request : '';
  const description = `${texts.agents[role](intent)}${told}`;
  return { name, role, llm_model: model, description, ...AGENT_DEFAULTS };
}
