import fc from 'fast-check';
import {
  CHUNK_CHARACTERS,
  CHUNK_OVERLAP,
  chunksOf,
  joinChunks,
} from '../../../domain/text/chunks.js';

test('pieces have 1000 characters and begin with the last 200 of the one before', () => {
  const text = Array.from({ length: 2_500 }, (_, at) => String.fromCodePoint(0x4e00 + at)).join('');
  const chunks = chunksOf(text);
  expect(chunks.map((chunk) => chunk.length)).toEqual([1_000, 1_000, 900]);
  expect(chunks[1]?.slice(0, CHUNK_OVERLAP)).toBe(chunks[0]?.slice(-CHUNK_OVERLAP));
  expect(joinChunks(chunks)).toBe(text);
});

test.each([
  [0, 0],
  [1, 1],
  [1_000, 1],
  [1_001, 2],
  [1_800, 2],
  [1_801, 3],
])('%i characters make %i pieces', (length, count) => {
  expect(chunksOf('x'.repeat(length))).toHaveLength(count);
});

test('with any text, no character is cut and nothing is lost', () => {
  const unit = fc.oneof(fc.constant('😀'), fc.constant('가'), fc.string({ minLength: 1 }));
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 3_000 }), (units) => {
      const text = units.join('').toWellFormed();
      const chunks = chunksOf(text);
      expect(chunks.every((chunk) => chunk.isWellFormed())).toBe(true);
      expect(chunks.every((chunk) => Array.from(chunk).length <= CHUNK_CHARACTERS)).toBe(true);
      expect(joinChunks(chunks)).toBe(text);
    }),
    { numRuns: 50 },
  );
});

test('pieces of others, which do not overlap, stay apart', () => {
  expect(joinChunks(['first', 'second'])).toBe('first\nsecond');
  expect(joinChunks(['x'.repeat(CHUNK_CHARACTERS), 'y'])).toBe(`${'x'.repeat(1_000)}\ny`);
});
