/** Models and prices of the operator's own, in the built worker. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { register } from '../support/person.js';
import { startProcess, startProduct } from '../support/product.js';
import {
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentforge-models-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Another price of gpt-4o-mini. */
function write(name: string, inputUsdPerMillion: string): string {
  const price = {
    ...{ from: '2026-01-01', inputUsdPerMillion, outputUsdPerMillion: '0.60' },
    ...{ source: 'https://example.com/prices', asOf: '2026-12-01' },
  };
  const file = join(folder, name);
  const models = [{ id: 'gpt-4o-mini', vendor: 'openai', prices: [price] }];
  writeFileSync(file, JSON.stringify({ models }));
  return file;
}

describe('a file that can be used', () => {
  let fixture: VendorProduct;
  beforeAll(async () => {
    fixture = await startVendorProduct({ env: { MODELS_FILE: write('good.json', '1000') } });
  });
  afterAll(() => fixture.close());

  test('decides what a call costs', async () => {
    const person = await register(fixture.product.url);
    await registerKeys(person, ['openai']);
    const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'b' }];
    const design = {
      name: 'D',
      description: 'E',
      agents: agents.map((agent) => ({ ...agent, max_tokens: 10 })),
    };
    const { body } = await person.ask('POST', '/pipelines/execute', { design });
    expect(body.status).toBe('completed');
    const [call] = completions(fixture.vendors, person.userId);
    const { promptTokens = 0, completionTokens = 0 } = call?.usage ?? {};
    const cost = (promptTokens * 1_000 + completionTokens * 0.6) / 1_000_000;
    expect(body.result.total_cost).toBeCloseTo(cost, 6);
  });
});

test.each([
  [
    'a mistake in it',
    () => write('bad.json', 'cheap'),
    /models\.\d\.prices\.0\.inputUsdPerMillion/,
  ],
  ['its absence', () => join(folder, 'none.json'), /none\.json cannot be read/],
])('%s stops the worker with one sentence', async (_, file, problem) => {
  const product = await startProduct({ apis: 0, workers: 0 });
  try {
    const worker = startProcess('worker/main.js', { ...product.env, MODELS_FILE: file() });
    expect(await worker.ended()).toBe(1);
    const lines = worker.lines.map((line) => JSON.parse(line));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'error' });
    expect(lines[0].event).toMatch(/^MODELS_FILE /);
    expect(lines[0].event).toMatch(problem);
  } finally {
    await product.stop();
  }
});
