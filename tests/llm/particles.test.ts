import { withParticle } from '../../llm/providers/simulated/particles.js';

test.each([
  ['분석', '을/를', '분석을'],
  ['비교', '을/를', '비교를'],
  ['표', '으로/로', '표로'],
  ['일반 글', '으로/로', '일반 글로'],
  ['일반 글', '을/를', '일반 글을'],
  ['보고문', '으로/로', '보고문으로'],
  ['JSON', '으로/로', 'JSON으로'],
  ['API', '을/를', 'API를'],
  ['"collector"', '은/는', '"collector"는'],
  ['a, doubting_analyst', '이/가', 'a, doubting_analyst가'],
  ['PDF 1', '으로/로', 'PDF 1로'],
  ['', '을/를', '를'],
] as const)('%s with %s is %s', (word, pair, whole) => {
  expect(withParticle(word, pair)).toBe(whole);
});
