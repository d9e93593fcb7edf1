/** One attempt over providers whose guard and failures are what a test says. */
import { Registry } from 'prom-client';
import type { BillingContext } from '../../domain/account/costs.js';
import { DomainError } from '../../domain/errors.js';
import {
  VENDORS as ALL_VENDORS,
  type ProviderName,
  type Vendor,
} from '../../domain/agents/models.js';
import { AttemptNotes, attemptScope } from '../../llm/attempt-scope.js';
import { billingContext } from '../../llm/billing/billing-context.js';
import type { ModelRequest, PayingKey, Provider, ProviderReply } from '../../llm/model.js';
import { createModels } from '../../llm/routing/complete.js';
import { UNKNOWN, type CallOutcome, type Guard, type Permit } from '../../llm/routing/guard.js';
import { BUILT_IN_MODELS } from '../../llm/routing/models-file.js';
import { ModelCallError } from '../../llm/providers/vendor-errors.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createModelMetrics } from '../../telemetry/model-metrics.js';
import { fakeLedger } from './fake-ledger.js';

const VENDORS: readonly Vendor[] = ['openai', 'anthropic', 'google']; // the order of these tests
const KEYS: readonly PayingKey[] = VENDORS.map((provider) => ({
  provider,
  apiKey: `key-of-${provider}`,
  keyId: provider,
}));

const REQUEST: ModelRequest = {
  messages: [{ role: 'user', content: 'hello' }],
  temperature: 0,
  maxTokens: 100,
  purpose: { kind: 'key-check' },
  wantedModel: 'gpt-4o',
  complexity: 'standard',
  timeoutMs: 1_000,
  simulated: false,
};

const BILLING: BillingContext = {
  ...{ userId: 'user', stepId: 'pipeline:node:0', runId: 'run', attempt: 1 },
  ...{ pipelineId: 'pipeline', conversationId: null },
};

interface Scenario {
  /** Milliseconds that the guard refuses calls of the provider for. */
  readonly refused?: Partial<Record<ProviderName, number>>;
  readonly fails?: Partial<Record<ProviderName, DomainError>>;
  readonly affordableTokens?: number;
}

const CANCELLED = new DomainError('cancelled', 'the call was cancelled');

function unavailable(provider: string, retryAfterSeconds?: number): ModelCallError {
  return new ModelCallError('model-unavailable', `${provider} is away`, {
    billing: 'none',
    status: 503,
    retryAfterSeconds,
  });
}

function scenarioOf({ refused = {}, fails = {}, ...ledgerOptions }: Scenario) {
  const asked: string[] = [];
  const outcomes: Record<string, CallOutcome['kind'][]> = {};
  let permits = 0;
  const guard: Guard = {
    acquire({ provider }, signal) {
      if (signal.aborted) {
        return Promise.reject(CANCELLED);
      }
      const waitMs = refused[provider];
      if (waitMs !== undefined) {
        const retryAfterSeconds = waitMs / 1_000;
        const error = new DomainError('model-on-hold', `not ${provider}`, { retryAfterSeconds });
        return Promise.resolve({ kind: 'refusal', error });
      }
      permits += 1;
      const permit: Permit = {
        kind: 'permit',
        outcome: UNKNOWN,
        [Symbol.asyncDispose]: () => {
          permits -= 1;
          (outcomes[provider] ??= []).push(permit.outcome.kind);
          return Promise.resolve();
        },
      };
      return Promise.resolve(permit);
    },
  };
  const providerOf = (name: ProviderName): Provider => ({
    name,
    complete: ({ model }) => {
      asked.push(name);
      const failure = fails[name];
      const usage = { promptTokens: 1, completionTokens: 1 };
      const reply: ProviderReply = {
        ...{ content: 'answer', provider: name, model, usage },
        ...{ finish: 'stop', requestId: null },
      };
      return failure === undefined ? Promise.resolve(reply) : Promise.reject(failure);
    },
    checkKey: () => Promise.resolve({ kind: 'valid', models: [] }),
  });
  const registry = new Registry();
  const { ledger, rows } = fakeLedger(ledgerOptions);
  const notes = new AttemptNotes();
  const attempt = ({
    keys = KEYS,
    request = REQUEST,
    signal = new AbortController().signal,
  }: Partial<AttemptOptions> = {}) => {
    const models = createModels({
      providers: {
        openai: providerOf('openai'),
        anthropic: providerOf('anthropic'),
        google: providerOf('google'),
        simulated: providerOf('simulated'),
      },
      catalog: BUILT_IN_MODELS,
      settings: { defaultProvider: 'openai', defaultModel: 'gpt-4o' },
      guard,
      ledger,
      findKeys: () => Promise.resolve(keys),
      keyNotes: { used: () => undefined, refused: () => undefined },
      metrics: createModelMetrics(registry),
      logger: silentLogger,
    });
    return attemptScope.run(notes, () =>
      billingContext.run(BILLING, () => models.complete(request, { signal })),
    );
  };
  return {
    asked,
    outcomes,
    ledger,
    registry,
    notes,
    attempt,
    permits: () => permits,
    callNumbers: () => rows.map(({ estimate }) => estimate.callNumber),
    failedAttempts: () => rows.filter(({ passFailed }) => passFailed).length,
  };
}

interface AttemptOptions {
  readonly keys: readonly PayingKey[];
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
}

test('a provider that the guard refuses is skipped, visibly', async () => {
  const scenario = scenarioOf({ refused: { openai: 5_000 } });
  const { attempt, asked, outcomes, registry, permits, callNumbers, notes } = scenario;
  const reply = await attempt();
  expect(reply).toMatchObject({ provider: 'anthropic', fallbackFrom: 'openai', calls: 1 });
  expect(asked).toEqual(['anthropic']);
  expect(callNumbers()).toEqual([1]);
  expect(outcomes).toEqual({ anthropic: ['answered'] });
  expect(permits()).toBe(0);
  expect(notes.asked[0]).toMatchObject({ vendor: 'openai', code: 'model-on-hold' });
  const page = await registry.metrics();
  expect(page).toContain('llm_fallbacks_total{from="openai",to="anthropic"} 1');
  expect(page).not.toContain('llm_errors_total{');
});

test('where no provider may be called the failure names the shortest wait', async () => {
  const refused = { openai: 9_000, anthropic: 2_500, google: 4_000 };
  const { attempt, asked, callNumbers, failedAttempts } = scenarioOf({ refused });
  await expect(attempt()).rejects.toMatchObject({ code: 'model-on-hold', retryAfterSeconds: 2.5 });
  expect(asked).toEqual([]);
  expect(callNumbers()).toEqual([]);
  expect(failedAttempts()).toBe(0);
});

test('where one was called the failure is its own, and waits for the first that may answer', async () => {
  const { attempt, callNumbers } = scenarioOf({
    fails: { openai: unavailable('openai', 30) },
    refused: { anthropic: 3_000, google: 60_000 },
  });
  await expect(attempt()).rejects.toMatchObject({
    code: 'model-unavailable',
    message: 'openai is away',
    retryAfterSeconds: 3,
  });
  expect(callNumbers()).toEqual([1]);
});

test('a provider that asks for no wait may be called first, however long others ask for', async () => {
  const { attempt } = scenarioOf({
    fails: { openai: unavailable('openai') },
    refused: { anthropic: 3_000, google: 60_000 },
  });
  const failure = await attempt().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'model-unavailable', message: 'openai is away' });
  expect((failure as DomainError).retryAfterSeconds).toBeUndefined();
});

test('calls are numbered as they are made, and an attempt in which all fail counts once', async () => {
  const fails = { openai: unavailable('openai'), google: unavailable('google') };
  const scenario = scenarioOf({ fails, refused: { anthropic: 1_000 } });
  await expect(scenario.attempt()).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(scenario.callNumbers()).toEqual([1, 2]);
  expect(scenario.failedAttempts()).toBe(1);
  expect(scenario.outcomes).toEqual({ openai: ['failed'], google: ['failed'] });
  expect(scenario.notes.asked.map(({ vendor, code }) => [vendor, code])).toEqual([
    ['openai', 'model-unavailable'],
    ['anthropic', 'model-on-hold'],
    ['google', 'model-unavailable'],
  ]);
  const page = await scenario.registry.metrics();
  expect(page).toContain('llm_fallbacks_total{from="anthropic",to="google"} 1');
});

test('an attempt counts as failed where the next provider is refused', async () => {
  const fails = { openai: unavailable('openai') };
  const { attempt, failedAttempts } = scenarioOf({
    fails,
    refused: { anthropic: 1_000, google: 1_000 },
  });
  await expect(attempt()).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(failedAttempts()).toBe(1);
});

test('every provider with a key is tried once', async () => {
  const fails = Object.fromEntries(ALL_VENDORS.map((name) => [name, unavailable(name)]));
  const { attempt, asked } = scenarioOf({ fails });
  await expect(attempt()).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(asked.toSorted()).toEqual(ALL_VENDORS.toSorted());
});

test("a settle that fails is not the provider's failure", async () => {
  const { attempt, ledger, outcomes, permits, registry, failedAttempts } = scenarioOf({});
  const refused = new DomainError('internal', 'the call was not reserved');
  ledger.settle = () => Promise.reject(refused);
  await expect(attempt()).rejects.toBe(refused);
  expect(outcomes).toEqual({ openai: ['answered'] });
  expect(permits()).toBe(0);
  expect(failedAttempts()).toBe(0);
  expect(await registry.metrics()).not.toContain('llm_errors_total{');
});

test('a call that does not fit the budget asks no other provider', async () => {
  const { attempt, asked, outcomes, permits } = scenarioOf({ affordableTokens: 1 });
  await expect(attempt()).rejects.toMatchObject({ code: 'over-budget' });
  expect(asked).toEqual([]);
  expect(outcomes).toEqual({ openai: ['unknown'] });
  expect(permits()).toBe(0);
});

test.each([
  ['a refused key', new ModelCallError('model-key-refused', 'x', { billing: 'none', status: 401 })],
  [
    'a bad request',
    new ModelCallError('model-request-invalid', 'x', { billing: 'none', status: 400 }),
  ],
])('%s ends the attempt, and shows that the provider is there', async (_what, failure) => {
  const { attempt, asked, outcomes, permits } = scenarioOf({ fails: { openai: failure } });
  await expect(attempt()).rejects.toBe(failure);
  expect(asked).toEqual(['openai']);
  expect(outcomes).toEqual({ openai: ['answered'] });
  expect(permits()).toBe(0);
});

test.each([
  ['over budget', new DomainError('over-budget', 'x')],
  ['cancelled', new ModelCallError('cancelled', 'x', { billing: 'unknown' })],
  ['an unsendable key', new ModelCallError('model-key-refused', 'x', { billing: 'none' })],
])('%s: the circuit counts nothing', async (_what, failure) => {
  const { attempt, outcomes, permits } = scenarioOf({ fails: { openai: failure } });
  await expect(attempt()).rejects.toBe(failure);
  expect(outcomes).toEqual({ openai: ['unknown'] });
  expect(permits()).toBe(0);
});

test('a cancel while waiting for a permit ends the attempt', async () => {
  const { attempt, asked, callNumbers, permits } = scenarioOf({});
  await expect(attempt({ signal: AbortSignal.abort() })).rejects.toBe(CANCELLED);
  expect(asked).toEqual([]);
  expect(callNumbers()).toEqual([]);
  expect(permits()).toBe(0);
});

test('a simulated request is answered by the simulated provider', async () => {
  const { attempt } = scenarioOf({});
  const keys = [{ provider: 'simulated', apiKey: '', keyId: null } as const];
  const reply = await attempt({ keys, request: { ...REQUEST, simulated: true } });
  expect(reply).toMatchObject({ provider: 'simulated', costUsd: 0 });
});
