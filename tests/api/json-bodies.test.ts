import fc from 'fast-check';
import { parseJson } from '../../api/http/schemas/json.js';
import { InvalidInput } from '../../api/http/schemas/problems.js';

/** Where `parseJson` reports the mistake; null where it finds none. */
function mistakeIn(text: string): number | null {
  try {
    parseJson(text);
    return null;
  } catch (error) {
    if (error instanceof InvalidInput) {
      return Number(error.problems[0]?.field);
    }
    throw error;
  }
}

test('any text parses as JSON.parse has it, or has a mistake within it', () => {
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2, unit: 'grapheme' }))
    .map(([json, at, other]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + other + json.slice(place + 1);
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.string()), (text) => {
      const offset = mistakeIn(text);
      if (offset === null) {
        expect(parseJson(text)).toEqual(JSON.parse(text));
      } else {
        expect(offset).toBeGreaterThanOrEqual(0);
        expect(offset).toBeLessThanOrEqual(Array.from(text).length);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('the text before the mistake is valid: it can be completed', () => {
  const values = ['{"a": [1, ', '{"a": ', '[', '[true, ', '{"a": {"b": null, "c": '];
  for (const start of values) {
    expect(mistakeIn(`${start}nope`)).toBe(start.length);
  }
});

test.each([
  ['{"a": "x\\q"}', 8],
  ['{"a": "\\u12g4"}', 7],
  ['[1 2]', 3],
  ['[1,]', 3],
  ['{"a":1}}', 7],
  ['{1: 2}', 1],
  ['[01]', 2],
  ['-', 0],
  ['["🙂", x]', 6],
  ['{"a": tru}', 6],
])('the mistake in %j is at character %i', (text, offset) => {
  expect(mistakeIn(text)).toBe(offset);
});

test('a mistake late in a very long text is found', () => {
  const long = `["${'x'.repeat(3_000_000)}", ${'[['.repeat(200)}`;
  expect(mistakeIn(long)).toBe(long.length);
});
