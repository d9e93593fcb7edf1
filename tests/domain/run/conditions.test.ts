import fc from 'fast-check';
import { holds, numericFieldsOf, parseCondition } from '../../../domain/run/conditions.js';

function isTrue(text: string, fields: Record<string, number> = {}): boolean {
  const condition = parseCondition(text);
  if (condition.kind === 'invalid') {
    throw new Error(condition.reason);
  }
  return holds(condition, fields);
}

test.each([
  ['score > 0.8', { field: 'score', op: '>', value: 0.8 }],
  ['  score>0.8  ', { field: 'score', op: '>', value: 0.8 }],
  ['tokens_used >= 100', { field: 'tokens_used', op: '>=', value: 100 }],
  ['x2 <= -3.50', { field: 'x2', op: '<=', value: -3.5 }],
  ['a<1', { field: 'a', op: '<', value: 1 }],
  ['a == 0', { field: 'a', op: '==', value: 0 }],
  ['점수 > 0.8', { field: '점수', op: '>', value: 0.8 }],
  ['점수>1'.normalize('NFD'), { field: '점수', op: '>', value: 1 }],
])('%j is a condition', (text, expected) => {
  expect(parseCondition(text)).toEqual({ kind: 'condition', ...expected });
});

test.each([
  '',
  '   ',
  'score',
  'score > high',
  "status == 'ok'",
  'score != 1',
  'score => 1',
  'score = 1',
  'score > 1 and x > 2',
  'score > .5',
  'score > 1.',
  'score > 1e3',
  'score > +1',
  'my-score > 1',
  'a.b > 1',
  '점수가 높으면',
  '점 수 > 1',
  '1 < ',
  'process.exit() > 1',
  `score > ${'9'.repeat(400)}`,
])('%j is an invalid condition', (text) => {
  const parsed = parseCondition(text);
  expect(parsed).toMatchObject({
    kind: 'invalid',
    reason: expect.stringContaining('Invalid condition'),
  });
});

test('every operator compares as written', () => {
  const fields = { x: 2 };
  expect(['x > 1', 'x < 3', 'x >= 2', 'x <= 2', 'x == 2'].map((it) => isTrue(it, fields))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(['x > 2', 'x < 2', 'x >= 3', 'x <= 1', 'x == 1'].map((it) => isTrue(it, fields))).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('a missing field counts as 0, even where every object has a property of that name', () => {
  expect(isTrue('score == 0')).toBe(true);
  expect(isTrue('constructor == 0')).toBe(true);
  expect(isTrue('__proto__ == 0')).toBe(true);
});

test('any text as a condition is answered, never thrown', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(['condition', 'invalid']).toContain(parseCondition(text).kind);
    }),
  );
});

test('numeric fields are read from an answer that is a JSON object', () => {
  const content = '{"score": 0.93, "count": 3, "name": "a", "ok": true, "inner": {"x": 1}}';
  expect(numericFieldsOf(content)).toEqual({ score: 0.93, count: 3 });
});

test('numeric fields are read from the first fenced block that is an object', () => {
  const content =
    'Result:\n```text\nnone\n```\n```json\n{"score": 0.5}\n```\n```json\n{"score": 1}\n```';
  expect(numericFieldsOf(content)).toEqual({ score: 0.5 });
  expect(numericFieldsOf('```\n{"score": 2}\n```')).toEqual({ score: 2 });
});

test.each(['plain prose', '[1, 2]', '{"score": ', '{broken} ```json {also} ```', '', '42', 'null'])(
  'no numeric field is read from %j',
  (content) => {
    expect(numericFieldsOf(content)).toEqual({});
  },
);

test('at most 32 numeric fields with plain names are kept', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${String(i)}`, i]));
  expect(Object.keys(numericFieldsOf(JSON.stringify(many)))).toHaveLength(32);
  const odd = { 'a b': 1, 'a.b': 2, ['n'.repeat(65)]: 3, '점 수': 4, fine: 5 };
  expect(numericFieldsOf(JSON.stringify(odd))).toEqual({ fine: 5 });
  expect(numericFieldsOf('{"big": 1e999}')).toEqual({});
});

test('fields in Korean letters are found, however they are composed', () => {
  const fields = numericFieldsOf(JSON.stringify({ ['점수'.normalize('NFD')]: 0.9, '비 고': 1 }));
  expect(fields).toEqual({ 점수: 0.9 });
  expect(isTrue('점수 > 0.8', fields)).toBe(true);
});

test.each([
  ['thoughts before it', '<think>maybe {"score": 0.1}?</think>\n{"score": 0.9}'],
  ['thoughts before a fence', '<think>hm</think>```json\n{"score": 0.9}\n```'],
  ['a number as a text', '{"score": " 0.9 "}'],
  ['sentences round it', 'The verdict is {"score": 0.9, "why": "a } brace"} as asked.'],
  ['braces that are no JSON', 'Of {these} the best: {"score": 0.9}'],
])('a condition sees the answer with %s', (_, content) => {
  expect(isTrue('score > 0.8', numericFieldsOf(content))).toBe(true);
});

test.each([
  ['several objects', 'One page said {"score": 1}, mine is {"score": 0.2}'],
  ['a text that is no number', '{"score": "0.9 of 1"}'],
  ['a share', '{"score": "90%"}'],
  ['thoughts that never end', '<think>{"score": 0.9}, or {"score": 1}'],
  ['an object inside of another one', 'so {"a": {"score": 0.9}}'],
])('a condition sees no field in an answer with %s', (_, content) => {
  expect(numericFieldsOf(content)).toEqual({});
});
