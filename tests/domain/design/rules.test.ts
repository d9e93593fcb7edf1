import {
  checkDesigns,
  designsByRules,
  withOneRecommendation,
} from '../../../domain/design/rules.js';
import type { Design, Intent } from '../../../domain/design/designs.js';
import { intentByRules } from '../../../domain/discussion/intents.js';

function intentOf(fields: Partial<Intent> = {}): Intent {
  return { ...intentByRules('summarize', 'en'), ...fields };
}

function outline(designs: readonly Design[]): string[][] {
  return designs.map(({ agents }) => agents.map((a) => `${a.name}/${a.role}/${a.llm_model}`));
}

const COLLECTOR = 'data_collector/collector/gpt-4o-mini';
const VALIDATOR = 'data_validator/validator/gpt-4o-mini';
const STEPS = [
  ['processor/analyzer/gpt-4o-mini', 'formatter/reporter/gpt-4o-mini'],
  ['analyzer/analyzer/gpt-4o', 'reporter/reporter/gpt-4o-mini'],
  [
    'primary_analyzer/analyzer/gpt-4o',
    'cross_checker/critic/gpt-4o',
    'synthesizer/synthesizer/gpt-4o',
    'reporter/reporter/gpt-4o-mini',
  ],
] as const;

test('without a source the designs have no collector and no validator', () => {
  expect(outline(designsByRules(intentOf(), 'en'))).toEqual(STEPS);
});

test('with a source they collect first, and the richer ones validate', () => {
  const designs = designsByRules(intentOf({ source_type: 'pdf' }), 'en');
  expect(outline(designs)).toEqual([
    [COLLECTOR, ...STEPS[0]],
    [COLLECTOR, VALIDATOR, ...STEPS[1]],
    [COLLECTOR, VALIDATOR, ...STEPS[2]],
  ]);
});

test('the designs are speed first, balanced and quality first, as the contract prices them', () => {
  expect(
    designsByRules(intentOf(), 'en').map((d) => [d.name, d.complexity, d.estimated_cost]),
  ).toEqual([
    ['Simple Sequential Pipeline (speed)', 'low', '~$0.01-0.03 per run'],
    ['Standard Pipeline with Validation (balanced)', 'medium', '~$0.05-0.10 per run'],
    ['Advanced Multi-Agent Pipeline (quality)', 'high', '~$0.15-0.30 per run'],
  ]);
  const names = designsByRules(intentOf(), 'ko').map((design) => design.name);
  expect(names[0]).toMatch(/Simple Sequential Pipeline.*속도/);
  expect(names[1]).toMatch(/Standard Pipeline with Validation.*균형/);
  expect(names[2]).toMatch(/Advanced Multi-Agent Pipeline.*품질/);
});

test.each([
  ['simple', [true, false, false]],
  ['standard', [false, true, false]],
  ['complex', [false, false, true]],
] as const)('a %s task has one fitting recommendation', (estimated_complexity, recommended) => {
  const designs = designsByRules(intentOf({ estimated_complexity }), 'ko');
  expect(designs.map((design) => design.recommended)).toEqual(recommended);
});

test.each(['ko', 'en'] as const)(
  'the %s designs pass their own check and are complete',
  (language) => {
    const intent = intentOf({
      task: 'comparison',
      source_type: 'web_reviews',
      source_hints: ['naver', 'https://a.example/x', 'https://b.example'],
    });
    const designs = designsByRules(intent, language);
    expect(checkDesigns(designs)).toBeNull();
    for (const design of designs) {
      expect([3, 4]).toContain(design.pros.length);
      expect(design.cons).toHaveLength(3);
      expect(design.edges).toBeNull();
      expect(design.source_hints).toEqual(intent.source_hints);
      const collector = design.agents.find((agent) => agent.role === 'collector');
      expect(collector?.description).toContain('web_reviews');
      expect(collector?.description).toContain('https://a.example/x');
      expect(collector?.description).toMatch(/https:\/\/b\.example$/);
      expect(design.agents.find((agent) => agent.role === 'analyzer')?.description).toContain(
        'comparison',
      );
      for (const agent of design.agents) {
        expect(agent).toMatchObject({ temperature: 0.7, max_tokens: 4096, retry_count: 3 });
      }
    }
  },
);

test('Korean users read Korean, others English', () => {
  const korean = designsByRules(intentOf(), 'ko').flatMap((d) => [
    d.description,
    ...d.pros,
    ...d.cons,
  ]);
  const english = designsByRules(intentOf(), 'en').flatMap((d) => [
    d.description,
    ...d.pros,
    ...d.cons,
  ]);
  expect(korean.every((text) => /[가-힣]/.test(text))).toBe(true);
  expect(english.some((text) => /[가-힣]/.test(text))).toBe(false);
});

test('the user’s own words reach the agents that work on them, and hint at the design', () => {
  const request = `Summarize this:\n\n  ${'한국어 '.repeat(300)}`;
  for (const design of designsByRules(intentOf(), 'en', request)) {
    expect(design.description).toMatch(/ The request: “Summarize this:\n한국어 [한국어 ]+…”$/);
    expect(Array.from(design.description).length).toBeLessThan(220);
    for (const agent of design.agents) {
      const isTold = agent.role === 'analyzer' || agent.role === 'critic';
      expect(agent.description.includes('Summarize this:\n한국어')).toBe(isTold);
      expect(Array.from(agent.description).length).toBeLessThan(1_100);
    }
  }
  const korean = designsByRules(intentOf(), 'ko', '요약해 줘');
  expect(korean[0]?.description).toMatch(/ 요청: “요약해 줘”$/);
  expect(designsByRules(intentOf(), 'en')[0]?.description).not.toContain('request');
});

const three = designsByRules(intentOf(), 'en');

function change(at: number, fields: Partial<Design>): Design[] {
  return three.map((design, index) => (index === at ? { ...design, ...fields } : design));
}

test.each([
  ['too few', three.slice(1), /expected 3 designs, got 2/],
  ['too many', [...three, ...three.slice(0, 1)], /got 4/],
  ['none', [], /got 0/],
  [
    'the same name in other case',
    change(2, { name: ` ${three[0]?.name.toUpperCase() ?? ''} ` }),
    /same name/,
  ],
  ['no name', change(1, { name: '  ' }), /no name/],
  ['no agents', change(1, { agents: [] }), /has no agents/],
])('designs are refused for %s', (_why, designs, problem) => {
  expect(checkDesigns(designs)).toMatch(problem);
});

function recommendations(designs: readonly Design[]): boolean[] {
  return withOneRecommendation(designs).map((design) => design.recommended);
}

test('of several recommended designs the first stays', () => {
  const all = three.map((design) => ({ ...design, recommended: true }));
  expect(recommendations(all)).toEqual([true, false, false]);
  expect(recommendations(all.map((d, at) => ({ ...d, recommended: at > 0 })))).toEqual([
    false,
    true,
    false,
  ]);
});

test('of none recommended the balanced one is, wherever it stands, else the middle one', () => {
  const none = three.map((design) => ({ ...design, recommended: false }));
  expect(recommendations([none[1], none[0], none[2]] as Design[])).toEqual([true, false, false]);
  const plain = none.map((design, at) => ({ ...design, name: `Design ${at}` }));
  expect(recommendations(plain)).toEqual([false, true, false]);
  expect(recommendations([])).toEqual([]);
});
