import fc from 'fast-check';
import { promptTokensBound } from '../../llm/billing/token-estimate.js';

const boundOf = (content: string) => promptTokensBound({ messages: [{ role: 'user', content }] });

test('the bound is never below a token per byte, the finest that a tokenizer can cut', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(boundOf(text)).toBeGreaterThan(Buffer.byteLength(text));
    }),
  );
});

test('a text that grows when it is normalised is counted in its grown form', () => {
  expect(boundOf('ﷺ'.repeat(100))).toBeGreaterThan(1_800);
});

test('a longer text never has a smaller bound', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, more) => {
      expect(boundOf(text + more)).toBeGreaterThanOrEqual(boundOf(text));
    }),
  );
});

test('each message and the schema count', () => {
  const message = { role: 'user', content: 'hello' } as const;
  const one = promptTokensBound({ messages: [message] });
  expect(promptTokensBound({ messages: [message, message] })).toBeGreaterThan(one + 5);
  const answer = { name: 'x', schema: { type: 'object', properties: {} } };
  expect(promptTokensBound({ messages: [message], answer })).toBeGreaterThan(one + 400);
});
