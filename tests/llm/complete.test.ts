import { jest } from '@jest/globals';
import { Registry } from 'prom-client';
import type { BillingContext } from '../../domain/account/costs.js';
import { promptFor } from '../../domain/agents/prompts.js';
import { DomainError, ServerKeySpent } from '../../domain/errors.js';
import { estimatedTokens } from '../../domain/agents/token-estimates.js';
import { billingContext } from '../../llm/billing/billing-context.js';
import type { ModelMetrics } from '../../llm/metrics.js';
import type { ModelRequest, PayingKey, Provider } from '../../llm/model.js';
import type { Providers } from '../../llm/routing/candidates.js';
import { createModels, type Models, type ModelsDeps } from '../../llm/routing/complete.js';
import { BUILT_IN_MODELS } from '../../llm/routing/models-file.js';
import { ModelCallError } from '../../llm/providers/vendor-errors.js';
import { createSimulated } from '../../llm/providers/simulated/simulated.js';
import { createModelMetrics } from '../../telemetry/model-metrics.js';
import { silentLogger } from '../../telemetry/logger.js';
import { agentOf, designOf } from '../support/designs.js';
import { catalogWith } from '../support/models.js';
import { createProviders } from '../support/vendors/providers.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';
import { fakeLedger } from './fake-ledger.js';
import { OPEN_GUARD } from './open-guard.js';

let vendors: StandInVendors;
let providers: Providers;

beforeAll(async () => {
  vendors = await startStandInVendors();
  providers = {
    ...createProviders(vendors),
    simulated: createSimulated(),
  };
});
beforeEach(() => {
  vendors.setBehaviour();
  vendors.clear();
});
afterAll(() => vendors.close());

const KEYS: readonly PayingKey[] = [
  { provider: 'google', apiKey: 'AIza-key', keyId: '3' },
  { provider: 'openai', apiKey: 'sk-key', keyId: '1' },
  { provider: 'anthropic', apiKey: 'sk-ant-key', keyId: '2' },
];
const SIMULATED: PayingKey = { provider: 'simulated', apiKey: '', keyId: null };

const CHARGE: BillingContext = {
  userId: 'user',
  stepId: 'pipeline:node:0',
  runId: 'run',
  attempt: 1,
  pipelineId: 'pipeline',
  conversationId: null,
};

function requestOf(change: Partial<ModelRequest> = {}): ModelRequest {
  return {
    messages: [{ role: 'user', content: '리뷰를 분석해 줘' }],
    temperature: 0.7,
    maxTokens: 1_000,
    purpose: { kind: 'key-check' },
    wantedModel: 'gpt-4o',
    complexity: 'standard',
    timeoutMs: 5_000,
    simulated: false,
    ...change,
  };
}

interface TestOptions {
  readonly affordableTokens?: number;
  readonly providers?: Providers;
  readonly keys?: readonly PayingKey[];
  readonly catalog?: ModelsDeps['catalog'];
  readonly persistence?: Pick<ModelsDeps, 'stopping' | 'now' | 'sleep'>;
}

function createTestModels(options: TestOptions = {}) {
  const noted: string[] = [];
  const registry = new Registry();
  const metrics: ModelMetrics = createModelMetrics(registry);
  const { ledger, rows } = fakeLedger(options);
  const today = '2026-11-23';
  const models = createModels({
    ...options.persistence,
    providers: options.providers ?? providers,
    catalog: options.catalog ?? BUILT_IN_MODELS,
    settings: { defaultProvider: 'anthropic', defaultModel: 'gpt-4o', today },
    guard: OPEN_GUARD,
    ledger,
    findKeys: () => Promise.resolve(options.keys ?? KEYS),
    metrics,
    logger: silentLogger,
    keyNotes: {
      used: ({ provider }) => noted.push(`used ${provider}`),
      refused: ({ provider }, { userId }) => noted.push(`refused ${provider} of ${userId}`),
    },
  });
  return { models, rows, ledger, registry, noted };
}

function ask(models: Models, change: Partial<ModelRequest> = {}, signal?: AbortSignal) {
  return billingContext.run(CHARGE, () =>
    models.complete(requestOf(change), { signal: signal ?? new AbortController().signal }),
  );
}

const asked = () => vendors.calls.map(({ vendor, model }) => `${vendor} ${model}`);
function failing(status: number, ...names: string[]): void {
  vendors.setBehaviour(({ vendor }) =>
    names.includes(vendor) ? { kind: 'status', status } : undefined,
  );
}

test("an answer is settled with the vendor's usage, at a reservation that covers it", async () => {
  const { models, rows } = createTestModels();
  const reply = await ask(models);
  expect(reply).toMatchObject({
    provider: 'openai',
    model: 'gpt-4o',
    fallbackFrom: null,
    calls: 1,
  });
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({
    state: 'settled',
    maxTokens: 1_000,
    estimate: { model: 'gpt-4o', minTokens: 256, inputUsdPerMillion: '2.5', callNumber: 1 },
  });
  expect(rows[0]?.estimate.promptTokens).toBeGreaterThan(reply.usage.promptTokens);
  expect(reply.costUsd).toBeGreaterThan(0);
});

test('each call keeps what was sent, a fail-over and a repair too', async () => {
  failing(503, 'openai');
  const { models, rows } = createTestModels();
  const quoted = [{ of: 'reply', stepId: 'pipeline:node:0', text: 'bad' }] as const;
  const messages = [
    { role: 'system', content: 'Ours.' },
    { role: 'user', content: '<agent_output>\nbad\n</agent_output>' },
  ] as const;
  await ask(models, { messages, quoted });
  expect(rows.length).toBeGreaterThan(1);
  for (const [at, { estimate }] of rows.entries()) {
    const sent = vendors.calls[at];
    const { prompt } = estimate;
    expect(prompt).toMatchObject({ model: sent?.model, temperature: 0.7, answer: null });
    expect(prompt?.messages.map(({ content }) => content).join('\n')).toBe(sent?.prompt);
    expect(estimate.quoted).toBe(quoted);
  }
});

describe('a custom agent with long outputs before it', () => {
  function promptWith(characters: number) {
    const agent = agentOf('poet', { role: 'bard', is_custom_role: true });
    const upstreamOutput = {
      agent_name: 'before',
      role: 'collector',
      content: 'words '.repeat(characters / 6),
      tokens_used: 0,
      cost_estimate: 0,
      duration_seconds: 0,
      status: 'success',
      error: null,
    } as const;
    const work = { kind: 'custom', agent, design: designOf([agent]), language: 'en' } as const;
    const { messages, within } = promptFor({ ...work, upstream: [upstreamOutput] });
    return { messages, messagesWithin: within };
  }

  test('reserves more for a longer prompt', async () => {
    const { models, rows } = createTestModels();
    const signal = new AbortController().signal;
    await billingContext.run(CHARGE, async () => {
      for (const [at, characters] of [600, 6_000, 60_000].entries()) {
        const stepId = `pipeline:node:${at}`;
        await models.complete(requestOf(promptWith(characters)), { signal, stepId });
      }
    });
    const [short = 0, longer = 0, longest = 0] = rows.map(({ estimate }) => estimate.promptTokens);
    expect(longer - short).toBe(5_400);
    expect(longest - longer).toBe(54_000);
  });

  test.each([
    ['openai', 'gpt-4o', 128_000],
    ['openai', 'gpt-6-luna', 100_000],
    ['anthropic', 'claude-haiku-4-5', 200_000],
  ])('%s %s is asked for what fits into its context, reserved as sent', async (...row) => {
    const [, wantedModel, context] = row;
    const catalog = catalogWith((model) =>
      model.id === 'gpt-6-luna' ? { ...model, contextTokens: null } : model,
    );
    const { models, rows } = createTestModels({ catalog });
    const prompt = promptWith(1_200_000);
    await ask(models, { ...prompt, wantedModel, maxTokens: 4_096 });
    const sent = vendors.calls.at(-1)?.prompt ?? '';
    expect(estimatedTokens(sent)).toBeLessThanOrEqual(context - 4_096);
    expect(estimatedTokens(sent)).toBeGreaterThan(context - 5_096);
    expect(sent).toContain('(cut to fit: the first');
    expect(rows[0]?.estimate.promptTokens).toBeLessThan(Buffer.byteLength(sent) + 1_000);
    const fitting = promptWith(120_000);
    await billingContext.run({ ...CHARGE, stepId: 'pipeline:other:0' }, () =>
      models.complete(requestOf({ ...fitting, wantedModel }), {
        signal: new AbortController().signal,
      }),
    );
    expect(vendors.calls.at(-1)?.prompt).toContain('words '.repeat(20_000));
  });
});

test('a text that cannot be stored is changed as it is read', async () => {
  vendors.setBehaviour(() => ({ kind: 'answer', text: 'a\0b \ud83d and \ude00' }));
  const { models } = createTestModels();
  expect((await ask(models)).content).toBe('a\ufffdb \ufffd and \ufffd');
});

test('a stored reply is found and no provider is asked', async () => {
  const { models, rows } = createTestModels();
  const first = await ask(models);
  expect(await ask(models)).toEqual(first);
  expect(vendors.calls).toHaveLength(1);
  expect(rows).toHaveLength(1);
});

test('another step with the same key has a call and a reply of its own', async () => {
  const { models, rows, ledger } = createTestModels();
  const stepId = 'pipeline:node:1';
  await ask(models);
  const signal = new AbortController().signal;
  await billingContext.run(CHARGE, () => models.complete(requestOf(), { signal, stepId }));
  expect(vendors.calls).toHaveLength(2);
  expect(rows.map(({ charge: billing }) => billing)).toEqual([CHARGE, { ...CHARGE, stepId }]);
  expect(await ledger.findReply(stepId)).not.toBeNull();
  await ask(models); // as a retry would
  await billingContext.run(CHARGE, () => models.complete(requestOf(), { signal, stepId }));
  expect(vendors.calls).toHaveLength(2);
});

test('a retryable failure fails over to the next vendor, with a released call each', async () => {
  failing(503, 'openai', 'anthropic');
  const { models, rows, registry } = createTestModels();
  const reply = await ask(models);
  expect(asked()).toEqual([
    'openai gpt-4o',
    'anthropic claude-sonnet-5',
    'google gemini-3.8-flash',
  ]);
  expect(reply).toMatchObject({ provider: 'google', fallbackFrom: 'openai', calls: 3 });
  expect(rows.map(({ state }) => state)).toEqual(['released', 'released', 'settled']);
  expect(rows.map(({ estimate }) => estimate.callNumber)).toEqual([1, 2, 3]);
  const page = await registry.metrics();
  expect(page).toContain('llm_fallbacks_total{from="openai",to="anthropic"} 1');
  expect(page).toContain('llm_errors_total{provider="openai",code="model-unavailable"} 1');
});

test('an attempt that fails at every vendor counts once and names the shortest wait', async () => {
  vendors.setBehaviour(({ vendor }) => ({
    kind: 'status',
    status: 429,
    headers: { 'retry-after': vendor === 'anthropic' ? '20' : '3' },
  }));
  const { models, rows, ledger } = createTestModels();
  await expect(ask(models)).rejects.toMatchObject({
    code: 'model-rate-limited',
    retryAfterSeconds: 3,
  });
  expect(rows.map(({ passFailed }) => passFailed)).toEqual([false, false, true]);
  expect(await ledger.readFailures(CHARGE.stepId)).toMatchObject({ passes: 1 });
});

test.each([
  [401, 'model-key-refused'],
  [400, 'model-request-invalid'],
])('a final failure (%i) ends the attempt without failover', async (status, code) => {
  failing(status, 'openai');
  const { models, rows } = createTestModels();
  await expect(ask(models)).rejects.toMatchObject({ code });
  expect(vendors.calls).toHaveLength(1);
  expect(rows).toMatchObject([{ state: 'released', passFailed: false }]);
});

test('what no vendor has stated is counted apart, and not as tokens', async () => {
  const complete = jest
    .fn<Provider['complete']>()
    .mockResolvedValueOnce({
      ...{ content: 'text', provider: 'openai', model: 'gpt-4o', usage: null },
      ...{ finish: 'stop', requestId: null },
    })
    .mockRejectedValue(new ModelCallError('model-timeout', 'no answer', { billing: 'unknown' }));
  const openai: Provider = {
    ...{ name: 'openai', complete },
    checkKey: () => Promise.resolve({ kind: 'invalid' }),
  };
  const { models, rows, registry } = createTestModels({ providers: { openai } });
  await ask(models);
  const signal = new AbortController().signal;
  const lost = billingContext.run(CHARGE, () =>
    models.complete(requestOf(), { signal, stepId: 'pipeline:node:1' }),
  );
  await expect(lost).rejects.toMatchObject({ code: 'model-timeout' });
  expect(rows.map(({ state }) => state)).toEqual(['estimated', 'unknown']);
  const text = await registry.metrics();
  expect(text).toContain('llm_usage_not_stated_total{provider="openai",state="estimated"} 1');
  expect(text).toContain('llm_usage_not_stated_total{provider="openai",state="unknown"} 1');
  expect(text).toContain('type="output"} 0');
});

test('a call that does not fit the budget is not made', async () => {
  const { models, registry } = createTestModels({ affordableTokens: 255 });
  await expect(ask(models)).rejects.toMatchObject({ code: 'over-budget' });
  expect(vendors.calls).toHaveLength(0);
  expect(await registry.metrics()).toContain('llm_budget_refusals_total 1');
});

test('the call asks for no more than the reservation allows', async () => {
  await ask(createTestModels({ affordableTokens: 300 }).models);
  expect(vendors.calls[0]?.maxTokens).toBe(300);
});

test('only the key that a call was made with is used', async () => {
  const { models, noted } = createTestModels();
  failing(500, 'openai');
  await ask(models);
  expect(noted).toEqual(['used openai', 'used anthropic']);
});

test.each([
  [401, true],
  [403, false], // of one model, perhaps
  [429, false],
  [500, false],
])('status %i says that the key is refused: %s', async (status, isRefused) => {
  const { models, noted } = createTestModels({
    keys: KEYS.filter(({ provider }) => provider === 'openai'),
  });
  failing(status, 'openai');
  await expect(ask(models)).rejects.toThrow();
  expect(noted.slice(1)).toEqual(isRefused ? [`refused openai of ${CHARGE.userId}`] : []);
});

test('a small request may be reserved below 256 tokens', async () => {
  const { models, rows } = createTestModels({ affordableTokens: 100 });
  await ask(models, { maxTokens: 100 });
  expect(rows[0]?.estimate.minTokens).toBe(100);
});

test('a model without a price is refused', async () => {
  const unpriced = createTestModels({
    catalog: catalogWith((model) => ({
      ...model,
      prices: model.prices.map((price) => ({ ...price, from: '2999-01-01' })),
    })),
  });
  await expect(ask(unpriced.models)).rejects.toMatchObject({ code: 'model-unpriced' });
  expect(unpriced.rows).toHaveLength(0);
  expect(vendors.calls).toHaveLength(0);
});

test('a call without an answer in time stays charged as unknown', async () => {
  vendors.setBehaviour({ kind: 'hang' });
  const { models, rows } = createTestModels({ keys: KEYS.slice(1, 2) });
  await expect(ask(models, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'model-timeout' });
  expect(rows).toMatchObject([
    { state: 'unknown', outcome: { errorCode: 'model-timeout' }, passFailed: true },
  ]);
});

test('a reply cut in the middle stays charged as unknown', async () => {
  vendors.setBehaviour({ kind: 'cut' });
  const { models, rows } = createTestModels({ keys: KEYS.slice(1, 2) });
  await expect(ask(models)).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(rows[0]?.state).toBe('unknown');
});

test('a cancel ends the call, asks no other provider and leaves its outcome unknown', async () => {
  vendors.setBehaviour({ kind: 'hang' });
  const { models, rows } = createTestModels();
  const controller = new AbortController();
  const running = ask(models, {}, controller.signal);
  const ended = expect(running).rejects.toMatchObject({ code: 'cancelled' });
  await vendors.until((calls) => calls.length === 1);
  controller.abort();
  await ended;
  expect(rows).toMatchObject([{ state: 'unknown', passFailed: false }]);
  expect(vendors.calls).toHaveLength(1);
});

test('a cancel before the call reserves nothing', async () => {
  const { models, rows } = createTestModels();
  await expect(ask(models, {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  expect(rows).toHaveLength(0);
});

test('a simulated run is answered by the simulated provider alone, at no cost', async () => {
  const { models, rows } = createTestModels({ keys: [SIMULATED] });
  const reply = await ask(models, { simulated: true });
  expect(reply).toMatchObject({ provider: 'simulated', costUsd: 0 });
  expect(rows).toMatchObject([{ state: 'settled', estimate: { inputUsdPerMillion: '0' } }]);
});

test.each([
  [true, KEYS],
  [false, [SIMULATED]],
])('simulated and real never mix (simulated: %p)', async (simulated, keys) => {
  const { models } = createTestModels({ keys });
  await expect(ask(models, { simulated })).rejects.toMatchObject({ code: 'no-llm-key' });
  expect(vendors.calls).toHaveLength(0);
});

test('a model is not asked outside of a billing context', async () => {
  const { models } = createTestModels();
  const asking = models.complete(requestOf(), { signal: new AbortController().signal });
  await expect(asking).rejects.toBeInstanceOf(DomainError);
  expect(vendors.calls).toHaveLength(0);
});

test("an answered call is measured under the contract's names", async () => {
  vendors.setBehaviour({ kind: 'answer', usage: { promptTokens: 1_000, completionTokens: 100 } });
  const { models, registry } = createTestModels();
  await ask(models);
  const page = await registry.metrics();
  expect(page).toContain(
    'llm_requests_total{provider="openai",model="gpt-4o",complexity="standard"} 1',
  );
  expect(page).toContain('llm_tokens_total{provider="openai",model="gpt-4o",type="input"} 1000');
  expect(page).toContain('llm_tokens_total{provider="openai",model="gpt-4o",type="output"} 100');
  expect(page).toContain('llm_cost_dollars_total{provider="openai",model="gpt-4o"} 0.0035');
  expect(page).toContain('llm_request_duration_seconds_bucket{le="2.5",provider="openai"');
});

/** A clock that waits move, and a store that answers again at `backAt`, in milliseconds. */
function outage(backAt: number, stopping?: AbortSignal) {
  const clock = { now: 0 };
  const parts = createTestModels({
    keys: KEYS.slice(1, 2),
    persistence: {
      stopping,
      now: () => clock.now,
      sleep: (ms) => {
        clock.now += ms;
        return Promise.resolve();
      },
    },
  });
  const whileAway = <Args extends unknown[], T>(write: (...args: Args) => Promise<T>) => {
    return (...args: Args) => {
      if (clock.now < backAt) {
        return Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
      }
      return write(...args);
    };
  };
  return { ...parts, clock, whileAway };
}

test('a reply that arrives while the ledger is away is settled when it is back', async () => {
  const { models, ledger, rows, whileAway } = outage(60_000);
  ledger.settle = whileAway(ledger.settle);
  expect(await ask(models)).toMatchObject({ provider: 'openai', calls: 1 });
  expect(vendors.calls).toHaveLength(1);
  expect(rows).toMatchObject([{ state: 'settled' }]);
});

test('a reply is given up only after two minutes', async () => {
  const { models, ledger, clock, whileAway } = outage(Number.POSITIVE_INFINITY);
  ledger.settle = whileAway(ledger.settle);
  await expect(ask(models)).rejects.toThrow('refused');
  expect(clock.now).toBeGreaterThanOrEqual(120_000);
  expect(clock.now).toBeLessThan(130_000);
  expect(vendors.calls).toHaveLength(1);
});

test('a process that is about to end does not wait for the ledger', async () => {
  const { models, ledger, clock, whileAway } = outage(60_000, AbortSignal.abort());
  ledger.settle = whileAway(ledger.settle);
  await expect(ask(models)).rejects.toThrow('refused');
  expect(clock.now).toBe(0);
});

test('a settle that the ledger refuses is not repeated', async () => {
  const { models, ledger, clock } = outage(0);
  ledger.settle = () => Promise.reject(Object.assign(new Error('x'), { code: '23514' }));
  await expect(ask(models)).rejects.toMatchObject({ code: '23514' });
  expect(clock.now).toBe(0);
});

test.each([
  ['release', 500, 'released'],
  ['leaveUnknown', 200, 'unknown'],
] as const)('a %s that fails is repeated too', async (write, status, state) => {
  vendors.setBehaviour(status === 200 ? { kind: 'garbage' } : { kind: 'status', status });
  const { models, ledger, rows, whileAway } = outage(5_000);
  ledger[write] = whileAway(ledger[write]);
  await expect(ask(models)).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(rows).toMatchObject([{ state, passFailed: true }]);
});

test.each(['findReply', 'reserve'] as const)(
  'a %s that fails before the call fails the attempt, and no provider is asked',
  async (step) => {
    const { models, ledger, clock } = outage(0);
    const away = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    Object.assign(ledger, { [step]: () => Promise.reject(away) });
    await expect(ask(models)).rejects.toBe(away);
    expect(vendors.calls).toHaveLength(0);
    expect(clock.now).toBe(0);
  },
);

test('each vendor call begins a reply of its own, and a stored reply is not published again', async () => {
  vendors.setBehaviour(({ vendor }) =>
    vendor === 'openai' ? { kind: 'cut' } : { kind: 'answer', text: 'whole' },
  );
  const { models, rows } = createTestModels();
  const replies: string[] = [];
  const complete = () =>
    billingContext.run(CHARGE, () =>
      models.complete(requestOf(), {
        signal: new AbortController().signal,
        beginReply: () => {
          const at = replies.push('') - 1;
          return (text) => (replies[at] = `${replies[at] ?? ''}${text}`);
        },
      }),
    );
  expect(await complete()).toMatchObject({ content: 'whole', provider: 'anthropic', calls: 2 });
  expect(replies).toEqual([expect.stringMatching(/^stand-in/), 'whole']);
  expect(rows.map(({ state }) => state)).toEqual(['unknown', 'settled']);
  await complete();
  expect(replies).toHaveLength(2);
});

test('the ledger learns whether a key of the server pays, and its limit has its own failure', async () => {
  const own = createTestModels();
  await ask(own.models);
  expect(own.rows[0]?.estimate.isServerKey).toBe(false);
  const keys = KEYS.map((key) => ({ ...key, keyId: null }));
  const server = createTestModels({ keys });
  await ask(server.models);
  expect(server.rows[0]?.estimate.isServerKey).toBe(true);
  const spent = createTestModels({ keys, affordableTokens: 1 });
  await expect(ask(spent.models)).rejects.toBeInstanceOf(ServerKeySpent);
  await expect(ask(spent.models)).rejects.toMatchObject({ code: 'over-budget' });
});
