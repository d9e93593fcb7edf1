import type { CallOptions, ModelCall, Provider } from '../../llm/model.js';
import { ModelCallError } from '../../llm/providers/vendor-errors.js';
import { VENDORS, type Vendor } from '../../domain/agents/models.js';
import { DomainError } from '../../domain/errors.js';
import { parametersOf } from '../support/models.js';
import { createProviders } from '../support/vendors/providers.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

let vendors: StandInVendors;
let providers: Record<Vendor, Provider>;

beforeAll(async () => {
  vendors = await startStandInVendors();
  providers = createProviders({ ...vendors, openAiUrl: `${vendors.openAiUrl}/` });
});
beforeEach(() => {
  vendors.setBehaviour();
  vendors.clear();
});
afterAll(() => vendors.close());

const MODELS = { openai: 'gpt-4o', anthropic: 'claude-opus-4-6', google: 'gemini-2.5-pro' };
const SECRET = 'sk-very-secret-key';

function callOf(vendor: Vendor, change: Partial<ModelCall> = {}): ModelCall {
  return {
    model: MODELS[vendor],
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '안녕하세요' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'Go on.' },
    ],
    temperature: 1.6,
    maxTokens: 321,
    parameters: parametersOf(vendor),
    purpose: { kind: 'key-check' },
    ...change,
  };
}

function optionsOf(change: Partial<CallOptions> = {}): CallOptions {
  return { apiKey: SECRET, signal: new AbortController().signal, timeoutMs: 10_000, ...change };
}

const complete = (vendor: Vendor, change?: Partial<CallOptions>) =>
  providers[vendor].complete(callOf(vendor), optionsOf(change));

async function failure(work: Promise<unknown>): Promise<ModelCallError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ModelCallError);
  return error as ModelCallError;
}

describe.each(VENDORS)('%s', (vendor) => {
  test('answers with text, its own usage and the id of the request', async () => {
    vendors.setBehaviour({
      kind: 'answer',
      text: '반가워요',
      usage: { promptTokens: 17, completionTokens: 5 },
    });
    const reply = await complete(vendor);
    expect(reply).toEqual({
      content: '반가워요',
      provider: vendor,
      model: MODELS[vendor],
      responseModel: MODELS[vendor],
      usage: { promptTokens: 17, completionTokens: 5 },
      finish: 'stop',
      requestId: vendor === 'google' ? 'answer-1' : 'req-1',
    });
    expect(vendors.calls).toHaveLength(1);
    expect(vendors.calls[0]).toMatchObject({
      vendor,
      key: SECRET,
      model: MODELS[vendor],
      maxTokens: 321,
      schema: null,
      status: 200,
    });
    expect(vendors.calls[0]?.prompt).toContain('안녕하세요');
  });

  test("asks for a structured answer with the vendor's own schema feature", async () => {
    const answer = {
      name: 'intent',
      schema: {
        type: 'object',
        properties: {
          task: { type: 'string', maxLength: 10 },
          needs_clarification: { type: 'boolean' },
          confidence: { type: 'number', minimum: 0 },
          kind: { type: 'string', enum: ['a', 'b'] },
          note: { type: ['string', 'null'] },
          edges: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] },
          list: { type: 'array', items: { type: 'object', properties: { x: { type: 'string' } } } },
        },
      },
    };
    const reply = await providers[vendor].complete(callOf(vendor, { answer }), optionsOf());
    expect(JSON.parse(reply.content)).toMatchObject({ task: 'comparison' });
    expect(vendors.calls[0]?.schema).not.toBeNull();
  });

  test('says when an answer was cut at the token limit', async () => {
    vendors.setBehaviour({ kind: 'answer', text: 'half', finish: 'length' });
    expect(await complete(vendor)).toMatchObject({ content: 'half', finish: 'length' });
  });

  test('gives an empty text when the vendor withholds its answer', async () => {
    vendors.setBehaviour({ kind: 'answer', finish: 'refused' });
    expect(await complete(vendor)).toMatchObject({ content: '', finish: 'refused' });
  });

  test.each([
    [400, 'model-request-invalid'],
    [401, 'model-key-refused'],
    [402, 'model-credit-exhausted'],
    [403, 'model-key-refused'],
    [404, 'model-request-invalid'],
    [408, 'model-unavailable'],
    [409, 'model-unavailable'],
    [413, 'model-request-invalid'],
    [422, 'model-request-invalid'],
    [429, 'model-rate-limited'],
    [500, 'model-unavailable'],
    [503, 'model-unavailable'],
    [529, 'model-unavailable'],
  ])('status %i means %s, is asked once and bills nothing', async (status, code) => {
    vendors.setBehaviour({ kind: 'status', status });
    const error = await failure(complete(vendor));
    expect(error).toMatchObject({ code, billing: 'none', status });
    expect(vendors.calls).toHaveLength(1);
  });

  test('an error never quotes the vendor', async () => {
    vendors.setBehaviour({ kind: 'status', status: 400 });
    const error = await failure(complete(vendor));
    const all = `${error.message} ${String(error.cause)} ${error.stack ?? ''}`;
    expect(all).not.toContain(SECRET);
    expect(all).not.toContain('안녕하세요');
  });

  test.each([429, 503])('a status %i carries the seconds to wait', async (status) => {
    vendors.setBehaviour({ kind: 'status', status, headers: { 'retry-after': '7' } });
    expect((await failure(complete(vendor))).retryAfterSeconds).toBe(7);
  });

  test.each(['garbage', 'cut', 'empty'] as const)(
    'a reply that is %s leaves open whether it was billed, unless its usage is stated',
    async (kind) => {
      vendors.setBehaviour({ kind });
      const isStated = kind === 'empty' && vendor === 'anthropic';
      expect(await failure(complete(vendor))).toMatchObject(
        isStated
          ? { code: 'model-empty', billing: { promptTokens: 1, completionTokens: 0 } }
          : { code: 'model-unavailable', billing: 'unknown' },
      );
      expect(vendors.calls).toHaveLength(1);
    },
  );

  test.each(['hang', 'stall'] as const)(
    'a vendor that does %s is given up in time',
    async (kind) => {
      vendors.setBehaviour({ kind });
      const error = await failure(complete(vendor, { timeoutMs: 150 }));
      expect(error).toMatchObject({ code: 'model-timeout', billing: 'unknown' });
      await vendors.until(([call]) => call?.aborted === true);
    },
  );

  test.each(['hang', 'stall'] as const)(
    'a cancel closes the HTTP request of a vendor that does %s',
    async (kind) => {
      vendors.setBehaviour({ kind });
      const controller = new AbortController();
      const running = failure(complete(vendor, { signal: controller.signal }));
      await vendors.until((calls) => calls.length === 1);
      controller.abort();
      expect(await running).toMatchObject({ code: 'cancelled', billing: 'unknown' });
      await vendors.until(([call]) => call?.aborted === true);
    },
  );

  test('a call that is cancelled before it starts is never sent', async () => {
    const error = await failure(complete(vendor, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'cancelled', billing: 'none' });
    expect(vendors.calls).toHaveLength(0);
  });

  test('a vendor that refuses connections is unavailable and bills nothing', async () => {
    const closed = await startStandInVendors();
    await closed.close();
    const unreachable = createProviders(closed)[vendor];
    const error = await failure(unreachable.complete(callOf(vendor), optionsOf()));
    expect(error.code).toBe('model-unavailable');
    expect(error.billing).toBe('none');
  });

  test('a good key is valid and names models', async () => {
    const check = await providers[vendor].checkKey(optionsOf());
    expect(check.kind).toBe('valid');
    expect(check.kind === 'valid' && check.models.length).toBeGreaterThan(0);
    expect(check.kind === 'valid' && check.models.length).toBeLessThanOrEqual(20);
  });

  test('a key that the vendor refuses is invalid', async () => {
    const check = await providers[vendor].checkKey(optionsOf({ apiKey: 'sk-invalid' }));
    expect(check).toEqual({ kind: 'invalid' });
  });

  test.each(['', '키를 잘못 붙여 넣음', 'two words'])(
    'a key that cannot be one (%p) is invalid and never sent',
    async (apiKey) => {
      expect(await providers[vendor].checkKey(optionsOf({ apiKey }))).toEqual({ kind: 'invalid' });
      expect(vendors.calls).toHaveLength(0);
    },
  );

  test.each([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, code: 'insufficient_quota' },
    { kind: 'garbage' },
    { kind: 'hang' },
  ] as const)('a key that could not be checked stays unchecked (%#)', async (behaviour) => {
    vendors.setBehaviour(behaviour);
    const check = await providers[vendor].checkKey(optionsOf({ timeoutMs: 200 }));
    expect(check.kind).toBe('unchecked');
  });
});

test('a valid key names the first 20 models, of Google those that write, of Anthropic the three', async () => {
  const modelsOf = async (vendor: 'openai' | 'anthropic' | 'google') => {
    const check = await providers[vendor].checkKey(optionsOf());
    return check.kind === 'valid' ? check.models : [];
  };
  const openAi = Array.from({ length: 20 }, (_, at) => (at === 0 ? 'gpt-4o' : `gpt-test-${at}`));
  expect(await modelsOf('openai')).toEqual(openAi);
  expect(await modelsOf('google')).toEqual(['gemini-2.5-pro']);
  expect(await modelsOf('anthropic')).toEqual([
    ...['claude-haiku-4-5-20251001', 'claude-sonnet-4-6', 'claude-opus-4-6'],
  ]);
});

test('each vendor gets a temperature that it takes', async () => {
  for (const vendor of VENDORS) {
    await complete(vendor);
  }
  const sent = vendors.calls.map(({ body }) => {
    const { temperature, generationConfig } = body as {
      temperature?: number;
      generationConfig?: { temperature: number };
    };
    return temperature ?? generationConfig?.temperature;
  });
  expect(sent).toEqual([1.6, 1, 1.6]);
});

test('a reasoning model is sent no temperature', async () => {
  await providers.openai.complete(
    callOf('openai', {
      model: 'gpt-6-astra',
      parameters: parametersOf('openai', 'gpt-6-astra'),
    }),
    optionsOf(),
  );
  expect(vendors.calls[0]?.body).not.toHaveProperty('temperature');
  expect(vendors.calls[0]?.body).toHaveProperty('reasoning_effort', 'low');
});

test('Anthropic gets all system texts, Google the assistant as model', async () => {
  await complete('anthropic');
  await complete('google');
  expect(vendors.calls[0]?.body).toHaveProperty('system', 'Be brief.\n\nBe kind.');
  expect(vendors.calls[1]?.body).toHaveProperty('contents.1.role', 'model');
});

test('an exhausted quota is final, since waiting does not bring it back', async () => {
  vendors.setBehaviour({ kind: 'status', status: 429, code: 'insufficient_quota' });
  expect((await failure(complete('openai'))).code).toBe('model-credit-exhausted');
});

test('Google gets an optional value in its own schema words', async () => {
  const schema = {
    type: 'object',
    properties: {
      edges: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] },
    },
    required: ['edges'],
    additionalProperties: false,
  };
  const answer = { name: 'edges', schema };
  await providers.google.complete(callOf('google', { answer }), optionsOf());
  expect(vendors.calls[0]?.schema).toEqual({
    type: 'object',
    properties: { edges: { type: 'array', items: { type: 'string' }, nullable: true } },
    required: ['edges'],
  });
});

test('Google’s bad key is distinguished from a bad request', async () => {
  const error = await failure(complete('google', { apiKey: 'AIza-invalid' }));
  expect(error).toMatchObject({ code: 'model-key-refused', status: 400 });
});

test('an error of ours passes unchanged', async () => {
  const ours = new DomainError('model-refused', 'ours');
  const { modelErrorOf } = await import('../../llm/providers/vendor-errors.js');
  expect(modelErrorOf('openai', ours)).toBe(ours);
});

test.each([
  [{ 'retry-after': '3' }, 3],
  [{ 'retry-after': '0.2' }, 1],
  [{ 'retry-after': 'Mon, 23 Nov 2026 00:00:10 GMT' }, 10],
  [{ 'retry-after': 'Sun, 22 Nov 2026 00:00:10 GMT' }, 0],
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 2],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
])('the headers %j mean %p seconds', async (headers, seconds) => {
  const { retryAfterOfHeaders } = await import('../../llm/providers/vendor-errors.js');
  const now = Date.parse('2026-11-23T00:00:00Z');
  expect(retryAfterOfHeaders(new Headers(headers as Record<string, string>), now)).toBe(seconds);
});
