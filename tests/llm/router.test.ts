/** One pass over vendors whose circuits and places are what a test says. */
import { Registry } from 'prom-client';
import { DomainError } from '../../domain/errors.js';
import type { ModelReply, ProviderName, Vendor } from '../../domain/models.js';
import type { CallOutcome, Circuits } from '../../llm/circuits.js';
import { createGates } from '../../llm/gates.js';
import type { ModelRequest, PayingKey, Provider } from '../../llm/model.js';
import type { Places } from '../../llm/places.js';
import { createModelCatalog } from '../../llm/routing/model-catalog.js';
import { createRouter, sendPlainly, type PassTurn } from '../../llm/router.js';
import { ModelCallError } from '../../llm/vendor-errors.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createModelMetrics } from '../../telemetry/model-metrics.js';

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

interface Scene {
  /** Milliseconds that the vendor's circuit rests. */
  readonly resting?: Partial<Record<ProviderName, number>>;
  /** No place for calls of these. */
  readonly full?: readonly ProviderName[];
  /** Calls of these wait for their place; meanwhile their circuit opens. */
  readonly opensMeanwhile?: readonly ProviderName[];
  readonly fails?: Partial<Record<ProviderName, DomainError>>;
}

const CANCELLED = new DomainError('cancelled', 'the call was cancelled');

function unavailable(provider: string, retryAfterSeconds?: number): ModelCallError {
  return new ModelCallError('model-unavailable', `${provider} is away`, {
    billing: 'none',
    status: 503,
    retryAfterSeconds,
  });
}

function sceneOf({ resting = {}, full = [], opensMeanwhile = [], fails = {} }: Scene) {
  const asked: string[] = [];
  const outcomes: Record<string, CallOutcome['kind'][]> = {};
  let places = 0;
  const entered = new Set<string>();
  const circuits: Circuits = {
    enter({ provider }) {
      const hasOpened = opensMeanwhile.includes(provider) && entered.has(provider);
      entered.add(provider);
      const waitMs = hasOpened ? 700 : resting[provider];
      if (waitMs !== undefined) {
        return Promise.resolve({ kind: 'resting', waitMs });
      }
      return Promise.resolve({
        kind: 'granted',
        leave: (outcome) => {
          (outcomes[provider] ??= []).push(outcome.kind);
          return Promise.resolve();
        },
      });
    },
    count: () => Promise.resolve([]),
  };
  const line: Places = {
    take({ provider }, signal) {
      if (signal.aborted) {
        return Promise.reject(CANCELLED);
      }
      if (full.includes(provider)) {
        return Promise.resolve(null);
      }
      places += 1;
      const leave = () => {
        places -= 1;
        return Promise.resolve();
      };
      return Promise.resolve({ hasWaited: opensMeanwhile.includes(provider), leave });
    },
  };
  const providerOf = (name: ProviderName): Provider => ({
    name,
    complete: ({ model }) => {
      asked.push(name);
      const failure = fails[name];
      const usage = { promptTokens: 1, completionTokens: 1 };
      const reply: ModelReply = {
        ...{ content: 'answer', provider: name, model, usage },
        ...{ finish: 'stop', requestId: null },
      };
      return failure === undefined ? Promise.resolve(reply) : Promise.reject(failure);
    },
    checkKey: () => Promise.resolve({ kind: 'valid', models: [] }),
  });
  const registry = new Registry();
  const metrics = createModelMetrics(registry);
  const router = createRouter({
    providers: {
      openai: providerOf('openai'),
      anthropic: providerOf('anthropic'),
      google: providerOf('google'),
      simulated: providerOf('simulated'),
    },
    catalog: createModelCatalog(),
    settings: { defaultProvider: 'openai', defaultModel: 'gpt-4o' },
    gates: createGates({ circuits, places: line, metrics }),
    metrics,
    logger: silentLogger,
  });
  const turns: { number: number; fallbackFrom: ProviderName | null }[] = [];
  let failedPasses = 0;
  const sendAndNote = (turn: PassTurn) => {
    turns.push({ number: turn.number, fallbackFrom: turn.fallbackFrom });
    return sendPlainly(turn);
  };
  return {
    asked,
    outcomes,
    turns,
    registry,
    places: () => places,
    failedPasses: () => failedPasses,
    pass: (options: Partial<Pass> = {}) => {
      const { keys = KEYS, request = REQUEST, send = sendAndNote } = options;
      const { signal = new AbortController().signal } = options;
      const failPass = () => {
        failedPasses += 1;
        return Promise.resolve();
      };
      return router.complete(request, keys, { signal, send, failPass });
    },
  };
}

interface Pass {
  readonly keys: readonly PayingKey[];
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  readonly send: (turn: PassTurn) => Promise<ModelReply>;
}

test('a vendor whose circuit is open is passed over, visibly', async () => {
  const { pass, asked, turns, registry, places } = sceneOf({ resting: { openai: 5_000 } });
  expect(await pass()).toMatchObject({ provider: 'anthropic' });
  expect(asked).toEqual(['anthropic']);
  expect(turns).toEqual([{ number: 1, fallbackFrom: 'openai' }]);
  expect(places()).toBe(0);
  const page = await registry.metrics();
  expect(page).toContain('llm_fallbacks_total{from="openai",to="anthropic"} 1');
  const held = 'llm_calls_held_back_total{provider="openai",reason="circuit-open"} 1';
  expect(page).toContain(held);
  expect(page).not.toContain('llm_errors_total{');
});

test('a vendor whose key has no place is passed over, and its circuit learns nothing', async () => {
  const { pass, asked, outcomes, registry } = sceneOf({ full: ['openai'] });
  expect(await pass()).toMatchObject({ provider: 'anthropic' });
  expect(asked).toEqual(['anthropic']);
  expect(outcomes).toEqual({ openai: ['nothing'], anthropic: ['answered'] });
  const held = 'llm_calls_held_back_total{provider="openai",reason="no-place"} 1';
  expect(await registry.metrics()).toContain(held);
});

test('a circuit that opens while a call waits for its place holds it back', async () => {
  const { pass, asked, outcomes, places } = sceneOf({ opensMeanwhile: ['openai'] });
  expect(await pass()).toMatchObject({ provider: 'anthropic' });
  expect(asked).toEqual(['anthropic']);
  expect(outcomes['openai']).toEqual(['nothing']);
  expect(places()).toBe(0);
});

test('where nobody may be asked the pass says when somebody may', async () => {
  const resting = { openai: 9_000, anthropic: 2_500, google: 4_000 };
  const { pass, asked } = sceneOf({ resting });
  await expect(pass()).rejects.toMatchObject({ code: 'model-on-hold', retryAfterSeconds: 2.5 });
  expect(asked).toEqual([]);
});

test('a pass in which somebody was asked fails as that one did, and waits for the first', async () => {
  const { pass, turns } = sceneOf({
    fails: { openai: unavailable('openai', 30) },
    resting: { anthropic: 3_000, google: 60_000 },
  });
  await expect(pass()).rejects.toMatchObject({ code: 'model-unavailable', retryAfterSeconds: 3 });
  expect(turns).toEqual([{ number: 1, fallbackFrom: null }]);
});

test('a vendor that asks for no wait may be asked first, whatever others want', async () => {
  const { pass } = sceneOf({
    fails: { openai: unavailable('openai') },
    resting: { anthropic: 3_000, google: 60_000 },
  });
  const failure = await pass().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'model-unavailable', message: 'openai is away' });
  expect((failure as DomainError).retryAfterSeconds).toBeUndefined();
});

test('calls are numbered as they are made, and a pass in which all fail counts once', async () => {
  const fails = { openai: unavailable('openai'), google: unavailable('google') };
  const { pass, turns, outcomes, failedPasses } = sceneOf({ fails, resting: { anthropic: 1_000 } });
  await expect(pass()).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(turns).toEqual([
    { number: 1, fallbackFrom: null },
    { number: 2, fallbackFrom: 'openai' },
  ]);
  expect(failedPasses()).toBe(1);
  expect(outcomes).toEqual({ openai: ['failed'], google: ['failed'] });
});

test('a pass counts as failed where the next vendor has no place for the call', async () => {
  const fails = { openai: unavailable('openai') };
  const { pass, failedPasses } = sceneOf({ fails, full: ['anthropic', 'google'] });
  await expect(pass()).rejects.toMatchObject({ code: 'model-unavailable' });
  expect(failedPasses()).toBe(1);
});

test('a pass in which no vendor was asked is no failed attempt', async () => {
  const { pass, failedPasses } = sceneOf({ full: ['openai', 'anthropic', 'google'] });
  await expect(pass()).rejects.toMatchObject({ code: 'model-on-hold' });
  expect(failedPasses()).toBe(0);
});

test.each([
  ['a refused key', new ModelCallError('model-key-refused', 'x', { billing: 'none', status: 401 })],
  [
    'a bad request',
    new ModelCallError('model-request-invalid', 'x', { billing: 'none', status: 400 }),
  ],
])('%s ends the pass, and shows that the vendor is there', async (_what, failure) => {
  const { pass, asked, outcomes, places } = sceneOf({ fails: { openai: failure } });
  await expect(pass()).rejects.toBe(failure);
  expect(asked).toEqual(['openai']);
  expect(outcomes).toEqual({ openai: ['answered'] });
  expect(places()).toBe(0);
});

test.each([
  ['over budget', new DomainError('over-budget', 'x')],
  ['cancelled', new ModelCallError('cancelled', 'x', { billing: 'unknown' })],
  ['an unsendable key', new ModelCallError('model-key-refused', 'x', { billing: 'none' })],
])('%s: the circuit learns nothing', async (_what, failure) => {
  const { pass, outcomes, places } = sceneOf({ fails: { openai: failure } });
  await expect(pass()).rejects.toBe(failure);
  expect(outcomes).toEqual({ openai: ['nothing'] });
  expect(places()).toBe(0);
});

test('a cancel while waiting for a place ends the pass', async () => {
  const { pass, asked, outcomes } = sceneOf({});
  await expect(pass({ signal: AbortSignal.abort() })).rejects.toBe(CANCELLED);
  expect(asked).toEqual([]);
  expect(outcomes).toEqual({ openai: ['nothing'] });
});

test('the simulated provider is held back by nobody', async () => {
  const { pass } = sceneOf({ resting: { simulated: 1_000 }, full: ['simulated'] });
  const keys = [{ provider: 'simulated', apiKey: '', keyId: null } as const];
  const reply = await pass({ keys, request: { ...REQUEST, simulated: true } });
  expect(reply).toMatchObject({ provider: 'simulated' });
});
