/** Vendors that are down or busy, with two workers and a user with several keys. */
import type { Redis } from 'ioredis';
import { toRateLimitKey } from '../../llm/routing/rate-limit-key.js';
import type { Vendor } from '../../domain/agents/models.js';
import { register, type Person } from '../support/person.js';
import { openRedis } from '../support/redis.js';
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
import type { Behaviour, VendorCall } from '../support/vendors/server.js';

const CALLS_PER_KEY = 2;

let fixture: VendorProduct;
let redis: Redis;
/** By the user whose key pays. */
const behaviours = new Map<string, (call: VendorCall) => Behaviour | undefined>();

beforeAll(async () => {
  redis = await openRedis();
  fixture = await startVendorProduct({
    workers: 2,
    env: { MODEL_CALLS_PER_KEY: String(CALLS_PER_KEY), DEFAULT_LLM_PROVIDER: 'openai' },
  });
  fixture.vendors.setBehaviour((call) =>
    [...behaviours].find(([userId]) => call.key.includes(userId))?.[1](call),
  );
});
afterAll(async () => {
  redis.disconnect();
  await fixture.close();
});

type Behave = (call: VendorCall) => Behaviour | undefined;

async function newPerson(vendors: readonly Vendor[], behave: Behave) {
  const person = await register(fixture.product.url);
  const keys = await registerKeys(person, vendors);
  behaviours.set(person.userId, behave);
  return { person, keys, calls: () => completions(fixture.vendors, person.userId) };
}

async function run(person: Person, agents: readonly object[], more: object = {}): Promise<any> {
  const design = { name: 'A design', description: 'Something to do', agents, ...more };
  const answer = await person.ask('POST', '/pipelines/execute-direct', { design });
  expect(answer.status).toBe(200);
  return answer.body;
}

function agent(name: string, more: object = {}) {
  const fields = { role: 'analyzer', llm_model: 'gpt-4o-mini', retry_count: 1 };
  return { name, description: `does ${name}.`, ...fields, ...more };
}

const agents = (count: number) => Array.from({ length: count }, (_, at) => agent(`agent_${at}`));
/** All but the last run at once, and lead to it. */
const fanIn = (names: readonly { name: string }[]) => ({
  edges: names.slice(0, -1).map(({ name }) => ({ source: name, target: names.at(-1)?.name })),
});

const status = (code: number, headers: Record<string, string> = {}): Behaviour => ({
  kind: 'status',
  status: code,
  headers,
});

async function sumOf(name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const { workers } = fixture.product;
  const values = await Promise.all(workers.map((worker) => metricOf(worker, name, labels)));
  return values.reduce((sum, value) => sum + value, 0);
}

test('a vendor that is down is replaced by the next one, soon skipped, and asked again', async () => {
  let isDown = true;
  const { person, keys, calls } = await newPerson(['openai', 'anthropic'], ({ vendor }) =>
    isDown && vendor === 'openai' ? status(500) : undefined,
  );
  const before = await sumOf('llm_circuit_moves_total', { provider: 'openai', state: 'open' });
  const { pipeline_id: pipelineId, result } = await run(person, agents(7));
  expect(result).toMatchObject({ status: 'completed', error: null });
  for (const one of result.agent_results) {
    expect(one).toMatchObject({
      provider: 'anthropic',
      model: 'claude-haiku-5-5',
      attempts: 1,
      fallback_from: 'openai',
    });
  }
  const read = await person.ask('GET', `/pipelines/${pipelineId}/result`);
  expect(read.body).toEqual(result);
  const asked = calls().map(({ vendor }) => vendor);
  expect(asked.filter((vendor) => vendor === 'openai')).toHaveLength(5);
  expect(asked.slice(-3)).toEqual(['anthropic', 'anthropic', 'anthropic']);
  const moves = { provider: 'openai', state: 'open' };
  expect(await sumOf('llm_circuit_moves_total', moves)).toBe(before + 1);
  expect(await sumOf('llm_circuits', moves)).toBeGreaterThanOrEqual(1);
  const held = { provider: 'openai', reason: 'circuit-open' };
  expect(await sumOf('llm_calls_held_back_total', held)).toBeGreaterThanOrEqual(2);

  isDown = false;
  const { body } = await person.ask('GET', '/llm-keys');
  const keyId: string = body.find(({ provider }: any) => provider === 'openai').id;
  const { fingerprint } = toRateLimitKey({ provider: 'openai', apiKey: keys.openai, keyId });
  await until('it has rested', async () => {
    const openUntil = await redis.hget(`agentforge:circuit:openai:${fingerprint}`, 'openUntil');
    return Number(openUntil) < Date.now();
  });
  const again = await run(person, agents(2));
  expect(again.result.agent_results).toMatchObject([
    { provider: 'openai', model: 'gpt-4o-mini', attempts: 1, fallback_from: null },
    { provider: 'openai', fallback_from: null },
  ]);
  expect(await redis.exists(`agentforge:circuit:openai:${fingerprint}`)).toBe(0);
});

test('a vendor that asks to wait is left alone by every agent, and an attempt that skipped it does not count', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<null>();
  const arrivals: { readonly at: number; readonly name: string }[] = [];
  const { person, calls } = await newPerson(['openai'], ({ prompt }) => {
    const name = /does (\w+)\./.exec(prompt)?.[1] ?? '';
    arrivals.push({ at: Date.now(), name });
    switch (arrivals.length) {
      case 1:
        return { kind: 'answer', hold: released }; // keeps one of the two places
      case 2:
        return status(429, { 'retry-after': '2' }); // so the third gets the other one now
      default:
        return undefined;
    }
  });
  const names = agents(4).map((one) => ({ ...one, retry_count: 2 }));
  const running = run(person, names, fanIn(names));
  await until('the third call is made', () => arrivals.length > 2);
  release(null);
  const { result } = await running;
  expect(result).toMatchObject({ status: 'completed', error: null });
  expect(calls()).toHaveLength(5);
  const [, limited, ...later] = arrivals;
  for (const { at } of later) {
    expect(at - (limited?.at ?? 0)).toBeGreaterThanOrEqual(1_950);
  }
  for (const { agent_name: name, attempts } of result.agent_results) {
    expect([name, attempts]).toEqual([name, name === limited?.name ? 2 : 1]);
  }
});

test('two workers never have more calls of a key in flight than it may have', async () => {
  let most = 0;
  const { person, calls } = await newPerson(['google'], () => {
    const inFlight = calls().filter((call) => call.status === null && !call.aborted).length;
    most = Math.max(most, inFlight);
    return { kind: 'answer', delayMs: 60 };
  });
  const names = agents(13);
  const waits = () => sumOf('llm_place_wait_seconds_count', { provider: 'google' });
  const before = await waits();
  const { result } = await run(person, names, fanIn(names));
  expect(result).toMatchObject({ status: 'completed', error: null });
  expect(calls()).toHaveLength(13);
  expect(most).toBe(CALLS_PER_KEY);
  expect(await waits()).toBeGreaterThan(before);
  for (const worker of fixture.product.workers) {
    const labels = { activity: 'runAgent' };
    expect(await metricOf(worker, 'activity_queue_seconds_count', labels)).toBeGreaterThan(0);
  }
});

test('a user whose vendors are all in cooldown is answered by rules in a discussion, at once', async () => {
  const { person, calls } = await newPerson(['openai'], () => status(429, { 'retry-after': '60' }));
  const chat = await person.chat(await person.startConversation());
  const presented = await chat.say('Compare three podcast apps by price and write a report');
  expect(presented).toMatchObject({ type: 'designs_presented' });
  expect(calls()).toHaveLength(1); // for the intent; the designs were not asked for
  await chat.close();
});

const output_schema = {
  type: 'object',
  description: 'how good it is',
  properties: {
    score: { type: 'number', minimum: 6, maximum: 10 },
    verdict: { type: 'string', enum: ['pass', 'fail'] },
    reasons: { type: 'array', items: { type: 'string', maxLength: 200 }, minItems: 1 },
    source: {
      anyOf: [{ type: 'null' }, { type: 'object', properties: { url: { type: 'string' } } }],
    },
    note: { type: ['string', 'null'] },
  },
  required: ['score', 'verdict'],
};
const FITTING = { score: 9, verdict: 'pass', reasons: ['short'], source: null, note: null };

/** The judge decides which of the others runs. */
const judged = (llm_model: string) =>
  [
    [agent('judge', { output_schema, llm_model }), agent('high'), agent('low')],
    {
      edges: [
        { source: 'judge', target: 'high', condition: 'score > 8' },
        { source: 'judge', target: 'low', condition: 'score <= 8' },
      ],
    },
  ] as const;

test.each([
  ['openai', 'gpt-4o'],
  ['anthropic', 'claude-sonnet-4-5'],
  ['google', 'gemini-2.5-pro'],
] as const)('%s answers in the form of a schema; what does not fit is repaired', async (...row) => {
  const [vendor, llm_model] = row;
  const { person, calls } = await newPerson(
    [vendor],
    ({ prompt, schema }) =>
      schema !== null && prompt.includes('What is wrong with it:')
        ? { kind: 'answer', json: FITTING }
        : undefined, // a score of 1, which the schema's bounds forbid and the vendors cannot know
  );
  const { result } = await run(person, ...judged(llm_model));
  expect(result).toMatchObject({ status: 'completed', error: null });
  expect(result.agent_results).toMatchObject([
    { agent_name: 'judge', content: JSON.stringify(FITTING), attempts: 2, provider: vendor },
    { agent_name: 'high', attempts: 1 },
  ]);
  const [first, repair, high] = calls();
  expect([first?.status, repair?.status, high?.status]).toEqual([200, 200, 200]);
  expect(first?.schema).toEqual(repair?.schema);
  expect(repair?.prompt).toContain('score: 1 is less than 6');
  expect(await chargedTo(fixture.product, person)).toBe(billOf(calls()));
  const ledger = await fixture.product.db
    .selectFrom('costLedger')
    .select(['stepId', 'cost'])
    .where('userId', '=', person.userId)
    .orderBy('createdAt')
    .execute();
  expect(ledger.map(({ stepId }) => stepId.split(':').slice(1).join(':'))).toEqual([
    'judge:0',
    'judge:1',
    'high:0',
  ]);
  const judge = Number(ledger[0]?.cost) + Number(ledger[1]?.cost);
  expect(result.agent_results[0].cost_estimate).toBeCloseTo(judge, 12);
});

test('an answer that fits not even after its repair fails its agent, by the name of the field', async () => {
  const { person, calls } = await newPerson(['openai'], () => undefined);
  const { result } = await run(person, ...judged('gpt-4o'));
  expect(result.agent_results).toMatchObject([
    { agent_name: 'judge', status: 'failed', content: '', attempts: 2 },
    { agent_name: 'low', status: 'success' }, // without an answer its score counts as 0
  ]);
  expect(result.error).toMatch(/^agent judge: .*output_schema.*score: 1 is less than 6/);
  expect(calls()).toHaveLength(3);
});

test('a simulated run names its provider, and fits a schema without any vendor', async () => {
  const person = await register(fixture.product.url);
  const { result } = await run(person, ...judged('gpt-4o'));
  expect(result.agent_results).toMatchObject([
    { agent_name: 'judge', provider: 'simulated', model: 'simulated', attempts: 1 },
    { agent_name: 'low', provider: 'simulated', fallback_from: null },
  ]);
  expect(JSON.parse(result.agent_results[0].content)).toMatchObject({ score: 6, verdict: 'pass' });
});
