/** A user whose day is spent in the middle of a run, with money that a vendor has billed. */
import { register } from '../support/person.js';
import { until } from '../support/until.js';
import {
  billOf,
  chargedTo,
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

/** $1.20 of gpt-4o-mini's output: more than a free user's day has. */
const DEAR = { promptTokens: 10, completionTokens: 2_000_000 };

let fixture: VendorProduct;
beforeAll(async () => {
  fixture = await startVendorProduct({ env: { SIMULATED_MODELS: 'false' } });
});
afterAll(() => fixture.close());

function agent(name: string) {
  return { name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` };
}

const DESIGN = {
  name: 'A dear design',
  description: 'Something to do',
  agents: ['dear', 'slow', 'late', 'last'].map(agent),
  edges: [
    { source: 'dear', target: 'late' },
    { source: 'late', target: 'last' },
  ],
};

async function newUser() {
  const person = await register(fixture.product.url);
  await registerKeys(person, ['openai']);
  const { promise: lateHasFailed, resolve } = Promise.withResolvers<null>();
  // the slow call is under way, with its money reserved, before the expensive one spends the day
  const slow = Promise.withResolvers<null>();
  fixture.vendors.setBehaviour(({ prompt }) => {
    if (prompt.includes('does slow')) {
      slow.resolve(null);
      return { kind: 'answer', hold: lateHasFailed };
    }
    return prompt.includes('does dear')
      ? { kind: 'answer', usage: DEAR, hold: slow.promise }
      : undefined;
  });
  return {
    person,
    release: () => {
      resolve(null);
    },
  };
}

test('over budget in the middle: calls in flight end, nothing else starts', async () => {
  const { person, release } = await newUser();
  const run = person.ask('POST', '/pipelines/execute', { design: DESIGN });
  await until('the late agent has failed', () =>
    fixture.product.db
      .selectFrom('agentSteps')
      .select('id')
      .where('status', '=', 'failed')
      .executeTakeFirst(),
  );
  release();
  const { status, body } = await run;
  expect(status).toBe(200);
  expect(body.status).toBe('partial');
  expect(body.result.agent_results).toMatchObject([
    { agent_name: 'dear', status: 'success', cost_estimate: 1.2000015 },
    { agent_name: 'late', status: 'failed', cost_estimate: 0, tokens_used: 0 },
    { agent_name: 'slow', status: 'success' },
  ]);
  expect(body.result.error).toMatch(/^agent late: the daily cost limit does not cover this call/);
  const calls = completions(fixture.vendors, person.userId);
  expect(calls).toHaveLength(2); // neither `late` nor `last` was asked for
  expect(await chargedTo(fixture.product, person)).toBe(billOf(calls));

  const refused = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
  expect(refused.status).toBe(429);
  expect(refused.body.detail).toMatch(/cost limit.*\$1\.20\/\$1\.00/i);
  const usage = await person.ask('GET', '/auth/me/usage');
  expect(usage.body).toMatchObject({ daily_limit: 1, remaining: 0, is_unlimited: false });

  const chat = await person.chat(await person.startConversation());
  const presented = await chat.say('Compare three podcast apps by price and write a report');
  expect(presented).toMatchObject({ type: 'designs_presented' }); // by rules
  const error = await chat.say('ok, take option 2');
  expect(error).toMatchObject({ type: 'error', state: 'plan' });
  expect(error['content']).toContain('$1.20/$1.00');
  expect(chat.events.map(({ type }) => type)).not.toContain('plan_generated');
  expect(completions(fixture.vendors, person.userId)).toHaveLength(2);
});

test('a run of which no agent could be paid has failed', async () => {
  const { person } = await newUser();
  const design = { ...DESIGN, agents: [agent('dear'), agent('late')], edges: [] };
  await fixture.product.db
    .insertInto('userDailyCosts')
    .values({
      userId: person.userId,
      date: new Date().toISOString().slice(0, 10),
      totalCost: '0.999999',
      updatedAt: new Date(),
    })
    .execute();
  const { body } = await person.ask('POST', '/pipelines/execute', { design });
  expect(body).toMatchObject({ status: 'failed', result: { total_cost: 0 } });
  expect(body.result.agent_results).toMatchObject([{ agent_name: 'dear', status: 'failed' }]);
  expect(completions(fixture.vendors, person.userId)).toEqual([]);
});
