/** The whole story with simulated models, against the built processes. */
import { register } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { tellStory } from '../support/story.js';

let product: Product;
beforeAll(async () => {
  product = await startProduct({ apis: 2, workers: 2 });
});
afterAll(() => product.stop());

describe.each(['English', 'Korean'] as const)('a conversation in %s', (language) => {
  const told = tellStory(language, async () => ({
    product,
    person: await register(product.url),
  }));

  test('nobody has paid for it', async () => {
    const { chat, person } = told();
    const results = chat.events.filter(({ type }) => type === 'pipeline_result');
    expect(results.map(({ result }) => result.total_cost)).toEqual([0]);
    const usage = await person.ask('GET', '/auth/me/usage');
    expect(usage.body).toMatchObject({ daily_cost: 0 });
  });
});
