/** A vendor key that is changed through one API is not used any more by any worker. */
import { randomUUID } from 'node:crypto';
import { register, type Person } from '../support/person.js';
import type { ApiProcess } from '../support/product.js';
import { completions, startVendorProduct, type VendorProduct } from '../support/vendor-product.js';

const DESIGN = {
  name: 'One step',
  description: 'Something to do',
  agents: [{ name: 'reader', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'reads' }],
};

describe('two APIs, each with a worker of its own', () => {
  let fixture: VendorProduct;
  /** Each API gives its runs to one worker alone. */
  const apis: ApiProcess[] = [];
  let person: Person;

  beforeAll(async () => {
    fixture = await startVendorProduct({ apis: 0, workers: 0, env: { SIMULATED_MODELS: 'false' } });
    for (const TEMPORAL_TASK_QUEUE of [`one-${randomUUID()}`, `two-${randomUUID()}`]) {
      await fixture.product.startWorker({ TEMPORAL_TASK_QUEUE });
      apis.push(await fixture.product.startApi({ TEMPORAL_TASK_QUEUE }));
    }
  });
  beforeEach(async () => {
    fixture.vendors.setBehaviour();
    person = await register(fixture.product.url);
    await fixture.product.db // more than a free user's runs
      .updateTable('users')
      .set({ role: 'pro' })
      .where('id', '=', person.userId)
      .execute();
  });
  afterAll(() => fixture.close());

  const keyOf = (name: string) => `sk-${name}-${person.userId}`;
  const at = (index: number) => person.at(apis[index]?.url ?? '');
  const store = (index: number, name: string) =>
    at(index).ask('POST', '/llm-keys', { provider: 'openai', api_key: keyOf(name) });

  /** Runs the design through each API. @returns the keys that the vendors saw, run by run */
  async function keysUsed(): Promise<readonly string[][]> {
    const used: string[][] = [];
    for (const index of apis.keys()) {
      fixture.vendors.clear();
      const answer = await at(index).ask('POST', '/pipelines/execute', { design: DESIGN });
      used.push(completions(fixture.vendors).map(({ key }) => key));
      expect([answer.status, answer.body.status]).toEqual([200, 'completed']);
    }
    return used;
  }

  test('a key replaced through one API is replaced for both workers', async () => {
    for (const [index, name] of ['first', 'second', 'third'].entries()) {
      expect((await store(index % 2, name)).body).toMatchObject({ is_valid: true });
      expect(await keysUsed()).toEqual([[keyOf(name)], [keyOf(name)]]);
    }
  });

  test('a key deleted through one API is used by neither worker', async () => {
    const { body } = await store(0, 'only');
    expect(await keysUsed()).toEqual([[keyOf('only')], [keyOf('only')]]);
    expect((await at(1).ask('DELETE', `/llm-keys/${body.id}`)).status).toBe(204);
    fixture.vendors.clear();
    for (const index of apis.keys()) {
      const { status } = await at(index).ask('POST', '/pipelines/execute', { design: DESIGN });
      expect(status).toBe(400);
    }
    expect(completions(fixture.vendors)).toEqual([]);
  });

  test('of two keys the deleted one is not used even where a run is under way', async () => {
    const anthropic = { provider: 'anthropic', api_key: keyOf('ant') };
    const { body } = await store(0, 'soon-gone');
    expect((await at(0).ask('POST', '/llm-keys', anthropic)).body).toMatchObject({
      is_valid: true,
    });
    await keysUsed(); // both workers have opened both keys
    const { promise: hold, resolve: release } = Promise.withResolvers<undefined>();
    fixture.vendors.setBehaviour(({ kind, prompt }) =>
      kind === 'complete' && prompt.includes('begins') ? { kind: 'answer', hold } : undefined,
    );
    fixture.vendors.clear();
    const [agent] = DESIGN.agents;
    const agents = ['begins', 'ends'].map((name) => ({ ...agent, name, description: name }));
    const run = at(0).ask('POST', '/pipelines/execute', { design: { ...DESIGN, agents } });
    await fixture.vendors.until((calls) => calls.some(({ prompt }) => prompt.includes('begins')));
    expect((await at(1).ask('DELETE', `/llm-keys/${body.id}`)).status).toBe(204);
    release(undefined);
    expect((await run).body).toMatchObject({ status: 'completed' });
    expect(completions(fixture.vendors).map(({ key }) => key)).toEqual([
      keyOf('soon-gone'),
      keyOf('ant'),
    ]);
  });

  test('a template stored through one API runs through the other, for every permitted user', async () => {
    await store(0, 'runner');
    const stored = await at(0).ask('POST', '/templates', {
      name: 'Saved',
      graph_data: {},
      design_data: DESIGN,
    });
    const template_id = stored.body.id;
    const own = await at(1).ask('POST', '/pipelines/execute-direct', { template_id });
    expect(own).toMatchObject({
      status: 200,
      body: { status: 'completed', design_name: 'One step' },
    });
    const stranger = await register(fixture.product.url);
    const refused = await stranger.ask('POST', '/pipelines/execute-direct', { template_id });
    expect(refused).toMatchObject({ status: 404, body: { detail: 'Template not found' } });
  });
});
