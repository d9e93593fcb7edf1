import type { Client } from '@temporalio/client';
import { validateKey } from '../../../../api/routes/llm-keys/key-check.js';
import { silentLogger } from '../../../../telemetry/logger.js';

/** A client whose workflow ends like this. */
function clientThat(ends: () => Promise<unknown>): Client {
  const client = {
    withDeadline: (_deadline: number, work: () => unknown) => work(),
    workflow: { execute: ends },
  };
  return client as unknown as Client;
}

const check = (ends: () => Promise<unknown>) =>
  validateKey(
    { temporal: { client: clientThat(ends), taskQueue: 'any' }, logger: silentLogger },
    { userId: 'u', keyId: 'k' },
  );

test.each([
  ['valid', /openai.* valid/],
  ['invalid', /^Invalid openai key/],
  ['unchecked', /could not be checked with openai/],
])('a check that ends %s is answered in our own words', async (outcome, words) => {
  const verdict = { outcome, provider: 'openai', models: ['m'] };
  expect(await check(() => Promise.resolve(verdict))).toEqual({
    outcome,
    message: expect.stringMatching(words),
    models: ['m'],
  });
});

test('while Temporal is away a key is not checked, and the failure is not shown', async () => {
  const answer = await check(() => Promise.reject(new Error('the secret inner cause')));
  expect(answer).toEqual({
    outcome: 'unchecked',
    message: expect.stringMatching(/could not be checked with the vendor now/),
    models: [],
  });
});
