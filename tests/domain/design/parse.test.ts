/** One parser reads every design: what one source may write, the next one understands. */
import fc from 'fast-check';
import { designsAnswer } from '../../../activities/answers/designs.js';
import { readAnswer } from '../../../activities/answers/structured.js';
import { AGENT_RANGES, DESIGN_LIMITS, type DesignSource } from '../../../domain/design/limits.js';
import { DESIGN_FORMS, parseAgentChanges, parseDesign } from '../../../domain/design/parse.js';
import { AGENT_DEFAULTS, DECISIONS, type Design } from '../../../domain/design/designs.js';
import { readStoredDesign } from '../../../domain/design/stored-designs.js';
import { expectLinear } from '../../support/growth.js';

const AGENT = { name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'works' };
const DESIGN = { name: 'Speed', description: 'd', agents: [AGENT] };

function problemsOf(value: unknown, source: DesignSource = 'client'): readonly string[] {
  const parsed = parseDesign(value, source);
  return parsed.kind === 'parsed'
    ? []
    : parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

function stored(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Of code points that can be stored, also such as take two units. */
function textUpTo(max: number) {
  const character = fc.constantFrom('a', 'B', ' ', '.', '가', '😀', 'é', '\\', '"', '\n');
  return fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit: character, maxLength: Math.min(max, 12) }) },
    fc.constant('😀'.repeat(max)),
  );
}

const limit = (what: keyof typeof DESIGN_LIMITS) => DESIGN_LIMITS[what].client;
/** `.` and `..` are no names that an address could hold: they become `_` and `__` when stored. */
const agentName = textUpTo(limit('agentName')).filter((name) => !/^\.{1,2}$/.test(name));
const wholeIn = (range: { min: number; max: number }) => fc.integer(range);
const outputSchema = fc.constantFrom(null, {
  type: 'object',
  properties: { score: { type: ['number', 'null'], maximum: 1 } },
  required: ['score'],
});
const posted = fc.record(
  {
    name: textUpTo(limit('name')),
    description: textUpTo(limit('description')),
    agents: fc.array(
      fc.record(
        {
          name: agentName,
          role: textUpTo(limit('role')),
          llm_model: textUpTo(limit('llmModel')),
          description: textUpTo(limit('agentDescription')),
          custom_prompt: fc.option(textUpTo(limit('customPrompt'))),
          temperature: fc.double({ ...AGENT_RANGES.temperature, noNaN: true }),
          max_tokens: wholeIn(AGENT_RANGES.maxTokens),
          retry_count: wholeIn(AGENT_RANGES.retryCount),
          is_custom_role: fc.boolean(),
          output_schema: outputSchema,
          approval: fc.boolean(),
          approval_timeout_seconds: wholeIn(AGENT_RANGES.approvalTimeoutSeconds),
          on_approval_timeout: fc.constantFrom(...DECISIONS),
        },
        { requiredKeys: ['name', 'role', 'llm_model', 'description'] },
      ),
      { maxLength: 4 },
    ),
    pros: fc.array(textUpTo(limit('point')), { maxLength: 3 }),
    cons: fc.array(textUpTo(limit('point')), { maxLength: 3 }),
    estimated_cost: textUpTo(limit('estimatedCost')),
    complexity: textUpTo(limit('complexity')),
    recommended: fc.boolean(),
    edges: fc.option(
      fc.array(
        fc.record(
          {
            source: agentName,
            target: agentName,
            condition: fc.option(textUpTo(limit('condition'))),
          },
          { requiredKeys: ['source', 'target'] },
        ),
        { maxLength: 4 },
      ),
    ),
    source_hints: fc.array(textUpTo(limit('hint')), { maxLength: 3 }),
  },
  { requiredKeys: ['name', 'description'] },
);

test('what clients may post is read from the store as it was', () => {
  fc.assert(
    fc.property(posted, (body) => {
      const parsed = parseDesign(stored(body), 'client');
      expect(problemsOf(stored(body))).toEqual([]);
      const design = parsed.kind === 'parsed' ? stored(parsed.value) : null;
      expect(readStoredDesign(design, 'unreadable')).toEqual(design);
    }),
  );
});

test('any document is read from the store as a design, and as the same one again', () => {
  const changed = fc
    .tuple(fc.constantFrom('name', 'agents', 'edges', 'pros', 'recommended'), fc.jsonValue())
    .map(([field, value]) => ({ ...DESIGN, [field]: value }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), changed), (value) => {
      const read = readStoredDesign(value, 'Mine');
      expect(readStoredDesign(stored(read), 'Mine')).toEqual(read);
    }),
  );
});

test('what is taken from a model, clients may post', () => {
  const max = (what: keyof typeof DESIGN_LIMITS) => DESIGN_LIMITS[what].model ?? 0;
  const unit = fc.constantFrom('a', '.', '가', '😀', '\ud83d', '\ude00', '\0');
  const texts = (what: keyof typeof DESIGN_LIMITS, minLength = 0) =>
    fc.oneof(
      fc.string({ unit, minLength, maxLength: 6 }),
      fc.string({ unit, minLength: max(what), maxLength: max(what) }),
    );
  const agents = fc.array(
    fc.record({
      name: texts('agentName', 1),
      role: texts('role', 1),
      llm_model: texts('llmModel', 1),
      description: texts('agentDescription'),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const design = fc.record(
    {
      name: texts('name', 1),
      description: texts('description'),
      agents,
      pros: fc.array(texts('point'), { maxLength: 3 }),
    },
    { requiredKeys: ['agents'] },
  );
  const schema = designsAnswer({ sourceHints: ['https://a.example'], language: 'en' });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(design, { minLength: 3, maxLength: 3 }), (designs) => {
      const read = readAnswer(schema, JSON.stringify({ designs }));
      const made: readonly Design[] = read.kind === 'answer' ? read.value : [];
      taken += made.length;
      expect(made.flatMap((one) => problemsOf(stored(one)))).toEqual([]);
    }),
  );
  expect(taken).toBeGreaterThan(30);
});

test('each limit of a model is within that of clients', () => {
  for (const { client, model } of Object.values(DESIGN_LIMITS)) {
    expect(model ?? 0).toBeLessThanOrEqual(client);
  }
});

test('all problems are named, each with its place', () => {
  const agents = [AGENT, { ...AGENT, name: 7, temperature: 3, on_approval_timeout: 'wait' }];
  const edges = [{ source: 'a', condition: false }];
  expect(problemsOf({ agents, edges, pros: 'cheap', recommended: 'yes' })).toEqual([
    'name: Field required',
    'description: Field required',
    'agents.1.name: Input should be a valid string',
    'agents.1.temperature: Input should be less than or equal to 2',
    "agents.1.on_approval_timeout: Input should be 'approve' or 'reject'",
    'pros: Input should be a valid list',
    'recommended: Input should be a valid boolean',
    'edges.0.target: Field required',
    'edges.0.condition: Input should be a valid string',
  ]);
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, ': Field required'],
  ['null', null, ': Input should be a valid dictionary or object to extract fields from'],
  ['a list', [], ': Input should be a valid dictionary or object to extract fields from'],
  [
    'a name of 256 characters of two units',
    { ...DESIGN, name: '😀'.repeat(256) },
    'name: String should have at most 255 characters',
  ],
  [
    'half a character',
    { ...DESIGN, name: 'a\ud83d' },
    'name: Input should be a valid string, unable to parse raw data as a unicode string',
  ],
  [
    'an endless number',
    { ...DESIGN, agents: [{ ...AGENT, temperature: Infinity }] },
    'agents.0.temperature: Input should be a valid number',
  ],
  [
    'a number beyond all',
    { ...DESIGN, agents: [{ ...AGENT, max_tokens: 1e300 }] },
    'agents.0.max_tokens: Input should be less than or equal to 16384',
  ],
])('%s is refused', (_what, value, problem) => {
  expect(problemsOf(value)).toEqual([problem]);
});

test('a model that leaves out a field of an agent, or its name, reads which', () => {
  const agents = [
    { ...AGENT, description: undefined },
    { ...AGENT, name: '' },
  ];
  expect(problemsOf({ agents }, 'model')).toEqual([
    'agents.0.description: Field required',
    'agents.1.name: String should have at least 1 character',
  ]);
});

test('a long list is refused before any of its items is looked at', () => {
  const agents = Array.from({ length: 101 }, () => null);
  expect(problemsOf({ ...DESIGN, agents })).toEqual([
    'agents: List should have at most 100 items after validation, not 101',
  ]);
});

test('changes of an agent are the fields that are named; tokens that are named are never raised', () => {
  const changesOf = (value: unknown) => {
    const parsed = parseAgentChanges(value);
    return parsed.kind === 'parsed' ? parsed.value : parsed.problems;
  };
  expect(changesOf({})).toEqual({});
  expect(changesOf({ temperature: 0, name: 'b', color: 'red' })).toEqual({ temperature: 0 });
  expect(changesOf({ max_tokens: AGENT_DEFAULTS.max_tokens })).toEqual({
    max_tokens: AGENT_DEFAULTS.max_tokens,
    max_tokens_named: true,
  });
  expect(changesOf({ role: null })).toEqual([
    { path: ['role'], message: 'Input should be a valid string' },
  ]);
});

test('every form that a form refers to is there', () => {
  const names = [...JSON.stringify(DESIGN_FORMS).matchAll(/"#\/\$defs\/(\w+)"/g)];
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter(([, name = '']) => !Object.hasOwn(DESIGN_FORMS, name))).toEqual([]);
});

test.each<DesignSource>(['client', 'store'])('reading takes linear time: %s', (source) => {
  expectLinear((size) => {
    const agents = Array.from({ length: 20 }, () => ({ ...AGENT, description: 'x'.repeat(size) }));
    const edges = Array.from({ length: Math.min(size, 2_000) }, () => ({
      source: 'a',
      target: 'a',
    }));
    return () => parseDesign({ ...DESIGN, agents, edges }, source);
  }, 1_024);
});
