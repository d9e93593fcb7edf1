import fc from 'fast-check';
import { critiquesByRules, scoreOf } from '../../../domain/discussion/critique-rules.js';
import { critiqueTexts } from '../../../domain/discussion/critique-texts.js';
import { AGENT_DEFAULTS, type Critique, type Design } from '../../../domain/design/designs.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';

const intent = intentByRules('summarize', 'en');
const texts = critiqueTexts('en');

/** @param agents `role` or `role:model` */
function designOf(agents: string[], complexity = 'medium'): Design {
  return {
    name: 'D',
    description: '',
    agents: agents.map((agent, at) => {
      const [role = '', model = 'gemini-2.0-flash'] = agent.split(':');
      return { name: `a${at}`, role, llm_model: model, description: '', ...AGENT_DEFAULTS };
    }),
    pros: [],
    cons: [],
    estimated_cost: '',
    complexity,
    recommended: false,
    edges: null,
    source_hints: [],
  };
}

function critique(design: Design, complexity = intent.estimated_complexity): Critique {
  const [only] = critiquesByRules([design], { ...intent, estimated_complexity: complexity }, 'en');
  if (only === undefined) {
    throw new Error('no critique');
  }
  return only;
}

test('a validated design of moderate size keeps the base score of 7', () => {
  const found = critique(designOf(['analyzer', 'validator', 'critic']));
  expect(found).toEqual({
    design_name: 'D',
    weaknesses: [],
    risks: [],
    edge_cases: [texts.modelAway],
    security_concerns: [],
    cost_concerns: [],
    scalability_notes: [],
    overall_score: 7,
    recommendation: texts.solid,
  });
});

test('fewer than two agents cost a point and need no validator', () => {
  const found = critique(designOf(['analyzer']));
  expect(found.overall_score).toBe(6);
  expect(found.weaknesses).toEqual([texts.fewAgents]);
  expect(critique(designOf([])).overall_score).toBe(6);
});

test('more than five agents cost half a point; five do not', () => {
  const five = ['validator', 'critic', 'x', 'x', 'x'];
  expect(critique(designOf(five)).overall_score).toBe(7);
  const found = critique(designOf([...five, 'x']));
  expect(found.overall_score).toBe(6.5);
  expect(found.weaknesses).toEqual([texts.manyAgents]);
  expect(found.cost_concerns).toEqual([texts.manyAgentsCost]);
});

test('two agents without a validator cost a point', () => {
  const found = critique(designOf(['analyzer', 'reporter']));
  expect(found.overall_score).toBe(6);
  expect(found.weaknesses).toEqual([texts.noValidator]);
  expect(found.edge_cases).toContain(texts.badInput);
});

test('the third expensive agent is a cost concern that names the count', () => {
  const strong = ['x:gpt-4o', 'x:claude-sonnet-4-5-20250929'];
  expect(critique(designOf(strong)).cost_concerns).toEqual([]);
  expect(critique(designOf([...strong, 'x:gpt-4o'])).cost_concerns).toEqual([
    texts.strongModels(3),
  ]);
  expect(texts.strongModels(3)).toContain('3');
});

test('a collector raises concerns of security and availability', () => {
  const found = critique(designOf(['collector', 'validator']));
  expect(found.security_concerns).toEqual([texts.externalData]);
  expect(found.edge_cases).toContain(texts.sourceAway);
});

test.each([
  ['high', 'simple', 5.5, texts.overEngineered],
  ['low', 'complex', 5.5, texts.tooSimple],
] as const)('a %s design for a %s task scores %d', (design, task, score, weakness) => {
  const found = critique(designOf(['analyzer', 'validator'], design), task);
  expect(found.overall_score).toBe(score);
  expect(found.weaknesses).toEqual([weakness]);
});

test.each([
  ['high', 'standard'],
  ['high', 'complex'],
  ['medium', 'simple'],
  ['medium', 'complex'],
  ['low', 'simple'],
  ['low', 'standard'],
] as const)('a %s design fits a %s task', (design, task) => {
  expect(critique(designOf(['analyzer', 'validator'], design), task).overall_score).toBe(7);
});

test('more than three agents can be parallelised; cheap ones are cheap at volume', () => {
  expect(critique(designOf(['validator', 'x', 'x'])).scalability_notes).toEqual([]);
  expect(critique(designOf(['validator', 'x', 'x', 'x'])).scalability_notes).toEqual([
    texts.canRunInParallel,
  ]);
  const cheap = designOf(['validator:gpt-4o-mini', 'x:gpt-4o-mini']);
  expect(critique(cheap).scalability_notes).toEqual([texts.cheapAtVolume]);
  expect(critique(designOf([])).scalability_notes).toEqual([]);
});

test('hallucinations pass unchecked unless a critic or cross-checker is there', () => {
  expect(critique(designOf(['analyzer', 'validator'])).edge_cases).toEqual([
    texts.modelAway,
    texts.uncheckedClaims,
  ]);
  expect(critique(designOf(['validator', 'cross_checker'])).edge_cases).toEqual([texts.modelAway]);
});

test('the recommendation goes by the score and names the first weakness', () => {
  expect(critique(designOf(['analyzer'])).recommendation).toBe(texts.viable);
  const worst = critique(designOf(['x'], 'low'), 'complex');
  expect(worst.overall_score).toBe(4.5);
  expect(worst.recommendation).toBe(texts.viable);
  expect(texts.solidBut('W')).toContain('W');
});

test('there is one critique per design, in the same order and the language of the user', () => {
  for (const language of ['ko', 'en'] as const) {
    const designs = designsByRules(intent, language);
    const critiques = critiquesByRules(designs, intent, language);
    expect(critiques.map((one) => one.design_name)).toEqual(designs.map((one) => one.name));
    expect(/[가-힣]/.test(critiques[0]?.edge_cases.join() ?? '')).toBe(language === 'ko');
  }
  expect(critiquesByRules([], intent, 'en')).toEqual([]);
});

test.each([
  [undefined, 5],
  [Number.NaN, 5],
  [0, 1],
  [-3, 1],
  [0.999, 1],
  [10.01, 10],
  [Infinity, 10],
  [-Infinity, 1],
  [6.456, 6.46],
  [7, 7],
])('a raw score of %p becomes %d', (raw, score) => {
  expect(scoreOf(raw)).toBe(score);
});

test('every score lies within 1 and 10 and has two decimals', () => {
  fc.assert(
    fc.property(fc.double(), (raw) => {
      const score = scoreOf(raw);
      expect(score).toBeGreaterThanOrEqual(1);
      expect(score).toBeLessThanOrEqual(10);
      expect(score).toBe(Number(score.toFixed(2)));
    }),
  );
});
