/** The whole story with simulated models, against the built processes. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { register } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { playStory } from '../support/story.js';

let product: Product;
beforeAll(async () => {
  product = await startProduct({ apis: 2, workers: 2 });
});
afterAll(() => product.stop());

describe.each(['English', 'Korean'] as const)('a conversation in %s', (language) => {
  const story = playStory(language, async () => ({
    product,
    person: await register(product.url),
  }));

  test('no vendor was paid for it', async () => {
    const { chat, person } = story();
    const results = chat.events.filter(({ type }) => type === 'pipeline_result');
    expect(results.map(({ result }) => result.total_cost)).toEqual([0]);
    const usage = await person.ask('GET', '/auth/me/usage');
    expect(usage.body).toMatchObject({ daily_cost: 0 });
  });
});

test('the client sample of the README holds a conversation and gets its result', async () => {
  const [, sample = ''] = /```js\n([^]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
  // the imports of a text are found from the working directory
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', sample],
    { env: { PATH: process.env['PATH'], AGENTFORGE_URL: product.url } },
  );
  const types = stdout.split('\n').flatMap((line) => /^\d+ (\w+)/.exec(line)?.[1] ?? []);
  expect(types).toEqual([
    'user_message_received',
    'designs_presented',
    'user_message_received',
    'plan_generated',
    'pipeline_started',
    ...types.filter((type) => type === 'agent_completed'),
    'pipeline_result',
  ]);
  expect(types).toContain('agent_completed');
});
