import fc from 'fast-check';
import { readBySchema } from '../../activities/answers/output-schema.js';
import { findSchemaProblem, type OutputSchema } from '../../domain/agents/output-schema.js';
import { exampleOf } from '../../llm/providers/simulated/examples.js';

const withField = (field: OutputSchema): OutputSchema => ({
  type: 'object',
  properties: { field },
});

function problemsOf(schema: OutputSchema, text: string): readonly string[] {
  const read = readBySchema(schema, text);
  return read.kind === 'answer' ? [] : read.problems;
}

const bound = fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined });
const count = fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined });
const description = fc.option(fc.string(), { nil: undefined });

/** Schemas in which every range holds something. */
const schemas = fc.letrec<{ any: OutputSchema; object: OutputSchema }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.record({ type: fc.constantFrom('boolean' as const, 'null' as const), description }),
    fc.record({ type: fc.constantFrom('number' as const, 'integer' as const), minimum: bound }),
    fc.record({ type: fc.constant(['number', 'null'] as const), maximum: bound }),
    fc.record({ type: fc.constant('string' as const), minLength: count }),
    fc.record({ type: fc.constant('string' as const), maxLength: count }),
    fc.record({
      type: fc.constant('string' as const),
      enum: fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ type: fc.constant('array' as const), items: tie('any'), minItems: count }),
    fc.record({ anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 2 }) }),
    tie('object'),
  ),
  object: fc
    .record({
      type: fc.constant('object' as const),
      properties: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie('any'), {
        minKeys: 1,
        maxKeys: 4,
        noNullPrototype: true,
      }),
      additionalProperties: fc.option(fc.boolean(), { nil: undefined }),
    })
    .map((schema) => withoutUndefined({ ...schema, required: Object.keys(schema.properties) })),
}));

/** A schema as it comes over the wire. */
function withoutUndefined(schema: OutputSchema): OutputSchema {
  return JSON.parse(JSON.stringify(schema)) as OutputSchema;
}

test('what the simulated provider makes of any schema fits it', () => {
  fc.assert(
    fc.property(schemas.object, (schema) => {
      fc.pre(findSchemaProblem(schema) === null);
      expect(problemsOf(schema, JSON.stringify(exampleOf(schema, '(simulated)')))).toEqual([]);
    }),
  );
});

test('the smallest document says that it is simulated where there is room', () => {
  const schema: OutputSchema = {
    type: 'object',
    properties: {
      text: { type: 'string' },
      short: { type: 'string', maxLength: 3 },
      long: { type: 'string', minLength: 14 },
      verdict: { type: 'string', enum: ['pass', 'fail'] },
      score: { type: 'number', minimum: 0.5 },
      count: { type: 'integer', maximum: -0.5 },
      maybe: { type: ['boolean', 'null'] },
      list: { type: 'array', items: { type: 'integer' }, minItems: 2 },
      either: { anyOf: [{ type: 'null' }, { type: 'string' }] },
    },
  };
  expect(exampleOf(schema, '(simulated)')).toEqual({
    text: '(simulated)',
    short: '(si',
    long: '(simulated)...',
    verdict: 'pass',
    score: 0.5,
    count: -1,
    maybe: false,
    list: [0, 0],
    either: null,
  });
});

test.each<readonly [string, OutputSchema, string, RegExp]>([
  ['a field of another type', withField({ type: 'integer' }), '{"field": 1.5}', /^field: /],
  [
    'an item deep inside',
    withField({ type: 'array', items: withField({ type: 'string' }) }),
    '{"field": [{"field": "a"}, {"field": 2}]}',
    /^field\.1\.field: /,
  ],
  [
    'a field that is not foreseen',
    { ...withField({ type: 'null' }), additionalProperties: false },
    '{"field": null, "other": 1}',
    /"other"/,
  ],
  ['none of the choices', withField({ anyOf: [{ type: 'null' }] }), '{"field": 3}', /^field: /],
  [
    'an inherited name',
    {
      type: 'object',
      properties: { ['constructor' as string]: { type: 'null' } },
      required: ['constructor'],
    },
    '{}',
    /"constructor"/,
  ],
])('%s is named', (_what, schema, text, problem) => {
  expect(problemsOf(schema, text)[0]).toMatch(problem);
});

test('names of any kind are named as they are', () => {
  const schema = withField({ type: 'object', properties: { 'a.b': { type: 'number' } } });
  expect(problemsOf(schema, '{"field": {"a.b": "x"}}')[0]).toMatch(/^field\.a\.b: /);
  const closed = { ...schema, additionalProperties: false };
  expect(problemsOf(closed, '{"점수/~": 1}')[0]).toContain('점수/~');
});

test('an answer with half a character in a name is a problem like any other', () => {
  const schema = { ...withField({ type: 'null' }), additionalProperties: false };
  expect(problemsOf(schema, '{"\\ud800": 1}')).toHaveLength(1);
});

test('only the first problems of a long answer are reported, and fast', () => {
  const schema = withField({ type: 'array', items: { type: 'string' } });
  const text = JSON.stringify({ field: Array.from({ length: 200_000 }, () => 1) });
  const problems = problemsOf(schema, text);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.length).toBeLessThanOrEqual(10);
});

test('a schema is not changed by being used', () => {
  const schema = Object.freeze(withField(Object.freeze({ type: 'null' })));
  expect(problemsOf(schema, '{"field": null}')).toEqual([]);
  expect(JSON.stringify(schema)).toBe('{"type":"object","properties":{"field":{"type":"null"}}}');
});

test('names and texts of an answer can be stored, at any depth', () => {
  const read = readBySchema({ type: 'object' }, String.raw`{"a\ud83d":[{"__proto__":"\u0000"}]}`);
  expect(read).toEqual({ kind: 'answer', value: '{"a\ufffd":[{"__proto__":"\ufffd"}]}' });
});

test('thoughts before a document are no part of it', () => {
  const read = readBySchema({ type: 'object' }, '<think>{"a": 2}?</think>\n```json\n{"a":1}\n```');
  expect(read).toEqual({ kind: 'answer', value: '{"a":1}' });
  expect(problemsOf({ type: 'object' }, '<think>no end {"a":1}')).not.toEqual([]);
});
