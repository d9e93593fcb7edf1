import { aimOf, withEvidentAims } from '../../../domain/design/aims.js';
import { isTitle } from '../../../domain/design/titles.js';

test.each([
  ['Speed First', 'speed'],
  ['Quick look', 'speed'],
  ['속도 우선', 'speed'],
  ['Balanced Pipeline', 'balanced'],
  ['균형 잡힌 설계', 'balanced'],
  ['High quality', 'quality'],
  ['품질 우선 (Quality)', 'quality'],
  ['Plan A', null],
  ['Fast and thorough', null],
])('"%s" puts first: %s', (name, aim) => {
  expect(aimOf(name)).toBe(aim);
});

function namesAfter(designs: readonly (readonly [string, string])[], language: 'en' | 'ko' = 'en') {
  const named = designs.map(([name, complexity]) => ({ name, complexity }));
  return withEvidentAims(named, language).map(({ name }) => name);
}

test('names that make it evident stay', () => {
  const names = ['Quality First', 'Speed First', 'Balanced'];
  expect(namesAfter(names.map((name) => [name, 'low']))).toEqual(names);
});

test('others are labelled by their complexity, in the language of the user', () => {
  const designs = [
    ['A', 'high'],
    ['B', 'low'],
    ['C', 'medium'],
  ] as const;
  expect(namesAfter(designs)).toEqual(['A (quality)', 'B (speed)', 'C (balanced)']);
  expect(namesAfter(designs, 'ko')).toEqual(['A (품질 우선)', 'B (속도 우선)', 'C (균형)']);
});

test('without a difference in complexity they are taken in the order that was asked for', () => {
  const designs = ['A', 'B', 'C'].map((name) => [name, 'medium'] as const);
  expect(namesAfter(designs)).toEqual(['A (speed)', 'B (quality)', 'C (balanced)']);
});

test('an aim that two names show is the first one’s; each aim is there once', () => {
  expect(
    namesAfter([
      ['Fast', 'low'],
      ['Quick', 'medium'],
      ['Deep', 'high'],
    ]),
  ).toEqual(['Fast', 'Quick (balanced)', 'Deep (quality)']);
});

test('a label leaves a name within its column', () => {
  const [name = ''] = namesAfter([['x'.repeat(255), 'low']]);
  expect(name.length).toBeLessThanOrEqual(255);
});

test.each([
  ...['Speed First', 'Quick look', 'Balanced', 'All-in-one quality', 'Price Scan', 'v2 Pipeline'],
  ...[
    'Deep Dive',
    'The Best of Both',
    'Lean & fast',
    '속도 우선 (Speed)',
    '균형',
    '꼼꼼한 비교',
    '빠른 요약',
  ],
  ...['Go-Fast Pipeline', 'Standard Pipeline with Validation (균형)', 'Unnamed Design'],
])('"%s" is a title', (name) => {
  expect(isTitle(name)).toBe(true);
});

test.each([
  ...['continue', 'Continue!', 'Make it cheaper', 'make it faster please', 'tell me more', 'Yes'],
  ...[
    'cancel',
    'run it again',
    'Option 2',
    '2',
    '**ok**',
    'What does it cost?',
    'cheaper',
    'Co\u200bntinue',
  ],
  ...[
    '계속',
    '더 싸게',
    '더 빠르게 해 주세요',
    '좋아요',
    '품질을 높여줘',
    '검증도 추가해요',
    '2번으로',
    '',
    '!!',
  ],
])('"%s" is something that people say', (name) => {
  expect(isTitle(name)).toBe(false);
});

test('a name that is common speech is replaced by a title, with any aim in it', () => {
  const designs = ['make it faster please', 'continue', 'Quality'].map((n) => [n, 'low'] as const);
  expect(namesAfter(designs)).toEqual(['Speed first', 'Balanced', 'Quality']);
  expect(namesAfter(designs, 'ko')).toEqual(['속도 우선', '균형', 'Quality']);
});
