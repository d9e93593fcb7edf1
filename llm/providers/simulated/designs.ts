import {
  AGENT_DEFAULTS,
  type AgentSpec,
  type Design,
  type EdgeSpec,
} from '../../../domain/design/designs.js';
import type { Aim } from '../../../domain/design/aims.js';
import { quotedRequest } from '../../../domain/design/texts.js';
import type { Language } from '../../../domain/text/languages.js';
import { DESIGN_WORDS, type DesignWords } from './design-words.js';
import {
  SIMULATED_MARK,
  excerptOf,
  outputName,
  sourceName,
  taskName,
  type PurposeOf,
} from './purposes.js';
import { describePreferences, preferencesIn, type Preferences } from './preferences.js';

/** The editor's names. Source: contract, pipeline §6.2. */
const MODELS = {
  small: 'gpt-4o-mini',
  writer: 'claude-haiku-4-5',
  strong: 'gpt-4o',
  strongest: 'claude-sonnet-4-5',
} as const;

type Strength = keyof typeof MODELS;
type Step = readonly [name: string, role: string, strength: Strength, does: string];

interface Order {
  readonly intent: PurposeOf<'designs'>['intent'];
  readonly language: Language;
  readonly words: DesignWords;
  readonly wishes: Preferences;
  readonly task: string;
  readonly output: string;
  /** Added to each description after feedback; empty at first. */
  readonly change: string;
  /** In the user's words, for the agents that work on it. */
  readonly request: string;
}

/** Three designs that fit the intent; feedback changes their steps, models and texts. */
export function simulateDesigns(purpose: PurposeOf<'designs'>): readonly Design[] {
  const order = orderOf(purpose);
  const recommended = recommendedAim(order);
  return (['speed', 'quality', 'balanced'] as const).map((aim) => ({
    name: order.words.names[aim],
    description: [
      SIMULATED_MARK[order.language],
      order.words.about[aim](order.task, order.output),
      order.change,
      quotedRequest(purpose.request, order.language, 'design').trim(),
    ]
      .filter((part) => part !== '')
      .join(' '),
    ...planOf(aim, order),
    pros: order.words.pros[aim],
    cons: order.words.cons[aim],
    estimated_cost: order.words.cost(costOf(aim, order.wishes)),
    complexity: COMPLEXITY[aim],
    recommended: aim === recommended,
    source_hints: order.intent.source_hints,
  }));
}

function orderOf({ intent, language, feedback, request }: PurposeOf<'designs'>): Order {
  const words = DESIGN_WORDS[language];
  const preferences = preferencesIn(feedback);
  const remark = excerptOf(feedback.at(-1) ?? '', 60);
  return {
    intent,
    language,
    words,
    wishes: preferences,
    task: taskName(intent.task, language),
    output: outputName(intent.output_format, language),
    change:
      feedback.length === 0
        ? ''
        : words.revised(describePreferences(preferences, language), remark),
    request: quotedRequest(request, language, 'agent'),
  };
}

const COMPLEXITY: Readonly<Record<Aim, string>> = {
  speed: 'low',
  quality: 'high',
  balanced: 'medium',
};

function recommendedAim({ wishes: preferences, intent }: Order): Aim {
  if (preferences.better) {
    return 'quality';
  }
  if (preferences.faster || preferences.cheaper) {
    return 'speed';
  }
  const { estimated_complexity } = intent;
  return estimated_complexity === 'simple'
    ? 'speed'
    : estimated_complexity === 'complex'
      ? 'quality'
      : 'balanced';
}

const COSTS: Readonly<Record<Aim, readonly [usual: string, cheap: string, strong: string]>> = {
  speed: ['~$0.01-0.03', '~$0.01', '~$0.02-0.05'],
  quality: ['~$0.15-0.30', '~$0.05-0.10', '~$0.25-0.50'],
  balanced: ['~$0.05-0.10', '~$0.02-0.05', '~$0.10-0.20'],
};

function costOf(aim: Aim, { cheaper, better }: Preferences): string {
  const [usual, cheap, strong] = COSTS[aim];
  return cheaper ? cheap : better ? strong : usual;
}

function planOf(aim: Aim, order: Order): Pick<Design, 'agents' | 'edges'> {
  const gathering = gatheringSteps(order);
  switch (aim) {
    case 'speed':
      return chainOf([...gathering, ...speedSteps(order)], order);
    case 'balanced':
      return chainOf([...gathering, ...balancedSteps(order)], order);
    case 'quality':
      return branchesOf(gathering, order);
  }
}

function gatheringSteps({ intent, language, words }: Order): readonly Step[] {
  if (intent.source_type === 'none') {
    return [];
  }
  const hints = intent.source_hints.length === 0 ? '' : ` (${intent.source_hints.join(', ')})`;
  const does = words.roles.collector(sourceName(intent.source_type, language), hints);
  return [['collector', 'collector', 'small', does]];
}

function speedSteps({ words, wishes: preferences, task, output }: Order): readonly Step[] {
  return [
    ['quick_analyst', 'analyzer', 'small', words.roles.analyst(task)],
    ...(preferences.checked ? [validatorStep({ words, task })] : []),
    ['writer', 'reporter', 'small', words.roles.reporter(output)],
  ];
}

function balancedSteps({ words, wishes: preferences, task, output }: Order): readonly Step[] {
  const critic: Step = ['critic', 'critic', 'strong', words.roles.critic(task)];
  return [
    ['analyst', 'analyzer', 'strong', words.roles.analyst(task)],
    ...(preferences.better ? [critic] : []),
    ...(preferences.checked || !preferences.faster ? [validatorStep({ words, task })] : []),
    ['writer', 'reporter', 'writer', words.roles.reporter(output)],
  ];
}

function validatorStep({ words, task }: Pick<Order, 'words' | 'task'>): Step {
  return ['validator', 'validator', 'small', words.roles.validator(task)];
}

/** What the two analysts of the parallel design look for. */
const PAIRS: Readonly<Record<string, readonly [string, string]>> = {
  sentiment_analysis: ['praise_analyst', 'complaint_analyst'],
  comparison: ['strengths_analyst', 'weaknesses_analyst'],
  translation: ['faithful_translator', 'fluent_translator'],
  summarization: ['facts_reader', 'themes_reader'],
};

function branchesOf(gathering: readonly Step[], order: Order): Pick<Design, 'agents' | 'edges'> {
  const { words, wishes: preferences, task, intent } = order;
  const [left, right] = PAIRS[intent.task] ?? ['supporting_analyst', 'doubting_analyst'];
  const planner: Step = ['planner', 'analyzer', 'small', words.roles.planner(task)];
  const root = gathering[0] ?? planner;
  const tail: readonly Step[] = [
    ['synthesizer', 'synthesizer', 'strongest', words.roles.synthesizer(task)],
    ...(preferences.faster && !preferences.checked ? [] : [validatorStep(order)]),
    ['writer', 'reporter', 'writer', words.roles.reporter(order.output)],
  ];
  const branches: readonly Step[] = [
    [left, 'analyzer', 'strongest', words.roles.first(task)],
    [right, 'analyzer', 'strong', words.roles.second(task)],
  ];
  const [joined] = tail;
  return {
    agents: [root, ...branches, ...tail].map((step) => agentOf(step, order)),
    edges: [
      ...branches.map(([name]) => edge(root[0], name)),
      ...branches.map(([name]) => edge(name, joined?.[0] ?? '')),
      ...tail.slice(1).map(([name], index) => edge(tail[index]?.[0] ?? '', name)),
    ],
  };
}

function chainOf(steps: readonly Step[], order: Order): Pick<Design, 'agents' | 'edges'> {
  return { agents: steps.map((step) => agentOf(step, order)), edges: null };
}

/** Analysts and critics work on the request itself; the others on what these have made of it. */
function agentOf(
  [name, role, strength, does]: Step,
  { wishes: preferences, request }: Order,
): AgentSpec {
  const description = role === 'analyzer' || role === 'critic' ? `${does}${request}` : does;
  return { name, role, llm_model: modelOf(strength, preferences), description, ...AGENT_DEFAULTS };
}

function modelOf(strength: Strength, { cheaper, better }: Preferences): string {
  if (cheaper) {
    return strength === 'strongest' ? MODELS.writer : MODELS.small;
  }
  return better && strength === 'strong' ? MODELS.strongest : MODELS[strength];
}

function edge(source: string, target: string): EdgeSpec {
  return { source, target, condition: null };
}
