/** Vendors that misbehave: each run ends with a clear answer, and nothing is lost. */
import { register, type Person } from '../support/person.js';
import { until } from '../support/until.js';
import {
  billOf,
  chargedTo,
  completions,
  metricOf,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';
import type { Vendor } from '../../domain/agents/models.js';
import type { Behaviour, VendorCall } from '../support/vendors/server.js';

const CALL_TIMEOUT_SECONDS = 2;

let fixture: VendorProduct;
/** By the user whose key pays, so that the tests can run at the same time. */
const behaviours = new Map<string, (call: VendorCall) => Behaviour | undefined>();

beforeAll(async () => {
  fixture = await startVendorProduct({
    env: { MODEL_CALL_TIMEOUT_SECONDS: String(CALL_TIMEOUT_SECONDS) },
  });
  fixture.vendors.setBehaviour((call) =>
    [...behaviours].find(([userId]) => call.key.includes(userId))?.[1](call),
  );
});
afterAll(() => fixture.close());

interface Scene {
  readonly person: Person;
  calls(): readonly VendorCall[];
  run(agents: readonly object[], more?: object): Promise<any>;
  ledger(): Promise<readonly { state: string; provider: string }[]>;
}

async function sceneWith(
  vendors: readonly Vendor[],
  behave: (call: VendorCall) => Behaviour | undefined,
): Promise<Scene> {
  const person = await register(fixture.product.url);
  await registerKeys(person, vendors);
  behaviours.set(person.userId, behave);
  return {
    person,
    calls: () => completions(fixture.vendors, person.userId),
    async run(agents, more = {}) {
      const design = { name: 'A design', description: 'Something to do', agents, ...more };
      const answer = await person.ask('POST', '/pipelines/execute-direct', { design });
      expect(answer.status).toBe(200);
      expect(JSON.stringify(answer.body)).not.toMatch(/stand-in failure|sk-test|AIza/);
      return answer.body.result;
    },
    ledger: () =>
      fixture.product.db
        .selectFrom('costLedger')
        .select(['state', 'provider'])
        .where('userId', '=', person.userId)
        .orderBy('createdAt')
        .orderBy('callNumber')
        .execute(),
  };
}

function agent(name: string, more: object = {}) {
  const fields = { role: 'analyzer', llm_model: 'gpt-4o-mini', retry_count: 1 };
  return { name, description: `does ${name}`, ...fields, ...more };
}

const status = (code: number, headers: Record<string, string> = {}): Behaviour => ({
  kind: 'status',
  status: code,
  headers,
});

/** Misbehaves at the first call only. */
function once(behaviour: Behaviour) {
  let isFirst = true;
  return () => {
    const chosen = isFirst ? behaviour : undefined;
    isFirst = false;
    return chosen;
  };
}

test.concurrent.each(['garbage', 'empty', 'cut'] as const)(
  'an answer that is %s fails its agent, and what it may have cost is shown',
  async (kind) => {
    const { run, calls, ledger, person } = await sceneWith(['openai'], () => ({ kind }));
    const result = await run([agent('one')]);
    expect(result).toMatchObject({ status: 'failed', output: '', total_tokens: 0 });
    const [one] = result.agent_results;
    expect(one).toMatchObject({ agent_name: 'one', status: 'failed', content: '' });
    expect(one.error).toMatch(
      /^agent one: failed after 1 attempt\(s\), because no model answered \(openai: /,
    );
    expect(calls()).toHaveLength(1);
    expect(await ledger()).toEqual([{ state: 'unknown', provider: 'openai' }]);
    const charged = await chargedTo(fixture.product, person);
    expect(Number(charged)).toBeGreaterThan(Number(billOf(calls())));
    expect(one.cost_estimate).toBe(Number(charged));
    expect(result.total_cost).toBe(Number(Number(charged).toFixed(6)));
  },
);

test.concurrent('a refused key (401) is final: no other vendor, no other attempt', async () => {
  const vendors = ['openai', 'anthropic', 'google'] as const;
  const { run, calls, ledger } = await sceneWith(vendors, () => status(401));
  const result = await run([agent('one', { retry_count: 3 })]);
  expect(result).toMatchObject({ status: 'failed', total_cost: 0 });
  expect(result.error).toBe('agent one: the LLM provider refused the API key');
  expect(calls()).toHaveLength(1);
  expect(await ledger()).toEqual([{ state: 'released', provider: 'openai' }]);
});

test.concurrent('a limited rate (429) is tried again after the wait asked for', async () => {
  const times: number[] = [];
  const behave = once(status(429, { 'retry-after': '4' }));
  const { run, ledger, person, calls } = await sceneWith(['openai'], () => {
    times.push(Date.now());
    return behave();
  });
  const result = await run([agent('one', { retry_count: 2 })]);
  expect(result).toMatchObject({ status: 'completed', error: null });
  const [first = 0, second = 0] = times;
  expect(second - first).toBeGreaterThanOrEqual(3_900);
  expect(second - first).toBeLessThan(20_000);
  expect((await ledger()).map(({ state }) => state)).toEqual(['released', 'settled']);
  expect(await chargedTo(fixture.product, person)).toBe(billOf(calls().slice(1)));
});

test.concurrent('a vendor that fails once (500) is asked again, and answers', async () => {
  const { run, calls, person } = await sceneWith(['google'], once(status(500)));
  const result = await run([agent('one', { retry_count: 3 })]);
  expect(result).toMatchObject({ status: 'completed', error: null });
  expect(calls()).toHaveLength(2);
  expect(await chargedTo(fixture.product, person)).toBe(billOf(calls().slice(1)));
});

test.concurrent('vendors that always fail are asked retry_count times, in order', async () => {
  const vendors = ['openai', 'anthropic', 'google'] as const;
  const { run, calls } = await sceneWith(vendors, ({ prompt }) =>
    prompt.includes('does bad') ? status(500) : undefined,
  );
  const result = await run([
    agent('bad', { retry_count: 2, llm_model: 'gemini-2.5-pro' }),
    agent('good', { role: 'reporter' }),
  ]);
  expect(result.status).toBe('partial');
  expect(result.agent_results).toMatchObject([
    { agent_name: 'bad', status: 'failed', cost_estimate: 0 },
    { agent_name: 'good', status: 'success' },
  ]);
  expect(result.error).toMatch(
    /^agent bad: failed after 2 attempt\(s\), because no model answered \(openai: /,
  );
  expect(result.output).toContain('stand-in answer');
  const pass = ['google', 'anthropic', 'openai']; // the design's, the default one, the rest
  expect(calls().map(({ vendor }) => vendor)).toEqual([...pass, ...pass, 'openai']);
});

test.concurrent('a vendor that hangs is given up after the call timeout', async () => {
  const { run, calls, ledger, person } = await sceneWith(['openai'], () => ({ kind: 'hang' }));
  const result = await run([agent('one')]);
  expect(result.status).toBe('failed');
  expect(result.agent_results[0].duration_seconds).toBeGreaterThanOrEqual(CALL_TIMEOUT_SECONDS);
  await until('the connection is closed', () => calls()[0]?.aborted);
  expect(await ledger()).toEqual([{ state: 'unknown', provider: 'openai' }]);
  expect(result.agent_results[0].cost_estimate).toBe(
    Number(await chargedTo(fixture.product, person)),
  );
});

test.concurrent.each(['hang', 'stall', 'cut'] as const)(
  'the next vendor answers where the first one does not (%s)',
  async (kind) => {
    const labels = { from: 'openai', to: 'anthropic' };
    const before = await metricOf(fixture.product.workers[0], 'llm_fallbacks_total', labels);
    const { run, calls, ledger, person } = await sceneWith(['openai', 'anthropic'], (call) =>
      call.vendor === 'openai' ? { kind } : undefined,
    );
    const result = await run([agent('one')]);
    expect(result).toMatchObject({ status: 'completed', error: null });
    expect(calls().map(({ vendor }) => vendor)).toEqual(['openai', 'anthropic']);
    expect(await ledger()).toEqual([
      { state: 'unknown', provider: 'openai' },
      { state: 'settled', provider: 'anthropic' },
    ]);
    const charged = Number(await chargedTo(fixture.product, person));
    expect(result.agent_results[0].cost_estimate).toBe(charged);
    const after = await metricOf(fixture.product.workers[0], 'llm_fallbacks_total', labels);
    expect(after).toBeGreaterThan(before);
  },
);
