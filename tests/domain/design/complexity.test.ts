import { complexityOfModel } from '../../../domain/design/complexity.js';

test.each([
  ['gpt-4o-mini', 'simple'],
  ['GPT-4o-MINI', 'simple'],
  ['claude-haiku-4-5', 'simple'],
  ['claude-opus-4-6', 'complex'],
  ['claude-sonnet-4-5', 'standard'],
  ['gpt-4o', 'standard'],
  ['gemini-2.5-pro', 'standard'],
  ['', 'standard'],
])('the model name %j asks for the class %s', (name, expected) => {
  expect(complexityOfModel(name)).toBe(expected);
});
