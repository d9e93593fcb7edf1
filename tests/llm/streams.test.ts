/** Replies that come as streams: the same replies, failures and bills as without. */
import { VENDORS, type Vendor } from '../../domain/agents/models.js';
import type { CallOptions, ModelCall, Provider } from '../../llm/model.js';
import { createSimulated } from '../../llm/providers/simulated/simulated.js';
import { ModelCallError } from '../../llm/providers/vendor-errors.js';
import { parametersOf } from '../support/models.js';
import { createProviders } from '../support/vendors/providers.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

let vendors: StandInVendors;
let providers: Record<Vendor, Provider>;

beforeAll(async () => {
  vendors = await startStandInVendors();
  providers = createProviders(vendors);
});
beforeEach(() => {
  vendors.setBehaviour();
  vendors.clear();
});
afterAll(() => vendors.close());

const MODELS = { openai: 'gpt-4o', anthropic: 'claude-opus-4-6', google: 'gemini-2.5-pro' };
const TEXT = '반가워요, 🙂 one two three four five';

function callOf(vendor: Vendor, change: Partial<ModelCall> = {}): ModelCall {
  return {
    model: MODELS[vendor],
    messages: [{ role: 'user', content: '안녕하세요' }],
    temperature: 0.5,
    maxTokens: 321,
    parameters: parametersOf(vendor),
    purpose: { kind: 'key-check' },
    ...change,
  };
}

function stream(vendor: Vendor, change: Partial<CallOptions & ModelCall> = {}) {
  const pieces: string[] = [];
  const options = { apiKey: 'sk-key', signal: new AbortController().signal, timeoutMs: 10_000 };
  const reply = providers[vendor].complete(callOf(vendor, change), {
    ...options,
    ...change,
    onDelta: (text) => pieces.push(text),
  });
  return { reply, pieces };
}

async function failure(work: Promise<unknown>): Promise<ModelCallError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ModelCallError);
  return error as ModelCallError;
}

describe.each(VENDORS)('a stream of %s', (vendor) => {
  test('comes in pieces, and ends with the same reply as without', async () => {
    const usage = { promptTokens: 17, completionTokens: 5 };
    vendors.setBehaviour({ kind: 'answer', text: TEXT, usage });
    const plain = await providers[vendor].complete(callOf(vendor), {
      apiKey: 'sk-key',
      signal: new AbortController().signal,
      timeoutMs: 10_000,
    });
    const { reply, pieces } = stream(vendor);
    expect(await reply).toEqual({ ...plain, requestId: expect.stringMatching(/-2$/) });
    expect(plain).toMatchObject({ content: TEXT, usage });
    expect(pieces).toHaveLength(4);
    expect(pieces.join('')).toBe(TEXT);
    expect(vendors.calls.map(({ isStreamed }) => isStreamed)).toEqual([false, true]);
  });

  test('emits each piece as it comes', async () => {
    const steps = [0, 1, 2, 3].map(() => Promise.withResolvers<undefined>());
    const pace = (piece: number) => steps[piece - 1]?.promise;
    vendors.setBehaviour({ kind: 'answer', text: 'abcd', pace });
    const options = { apiKey: 'sk-key', signal: new AbortController().signal, timeoutMs: 10_000 };
    const pieces: string[] = [];
    const reply = await providers[vendor].complete(callOf(vendor), {
      ...options,
      onDelta: (text) => {
        steps[pieces.length]?.resolve(undefined); // only now does the vendor send the next one
        pieces.push(text);
      },
    });
    expect(pieces).toEqual(['a', 'b', 'c', 'd']);
    expect(reply.content).toBe('abcd');
  });

  test('may be a structured answer', async () => {
    const schema = { type: 'object', properties: { task: { type: 'string' } } };
    const { reply, pieces } = stream(vendor, { answer: { name: 'task', schema } });
    expect(JSON.parse((await reply).content)).toEqual({ task: 'text' });
    expect(pieces.join('')).toBe('{"task":"text"}');
  });

  test('says when it was cut at the token limit, and when it was withheld', async () => {
    vendors.setBehaviour({ kind: 'answer', text: 'half', finish: 'length' });
    expect(await stream(vendor).reply).toMatchObject({ content: 'half', finish: 'length' });
    vendors.setBehaviour({ kind: 'answer', text: 'half', finish: 'refused' });
    expect(await stream(vendor).reply).toMatchObject({ content: '', finish: 'refused' });
  });

  test.each([
    [401, 'model-key-refused'],
    [429, 'model-rate-limited'],
    [500, 'model-unavailable'],
  ])('refused with status %i means %s and bills nothing', async (status, code) => {
    vendors.setBehaviour({ kind: 'status', status });
    expect(await failure(stream(vendor).reply)).toMatchObject({ code, status, billing: 'none' });
  });

  test.each(['garbage', 'empty', 'cut', 'break', 'end-early'] as const)(
    'that is %s leaves open whether it was billed, unless its usage is stated',
    async (kind) => {
      vendors.setBehaviour({ kind });
      const { reply, pieces } = stream(vendor);
      const isStated = kind === 'empty' && vendor === 'anthropic';
      expect(await failure(reply)).toMatchObject(
        isStated
          ? { code: 'model-empty', billing: { promptTokens: 1, completionTokens: 0 } }
          : { code: 'model-unavailable', billing: 'unknown' },
      );
      expect(pieces).toHaveLength(kind === 'garbage' || kind === 'empty' ? 0 : 2);
      expect(vendors.calls).toHaveLength(1);
    },
  );

  test('that stalls in the middle is given up in time, and its request is closed', async () => {
    vendors.setBehaviour({ kind: 'stall' });
    const { reply, pieces } = stream(vendor, { timeoutMs: 200 });
    expect(await failure(reply)).toMatchObject({ code: 'model-timeout', billing: 'unknown' });
    await vendors.until(([call]) => call?.aborted === true);
    expect(pieces).toHaveLength(2);
  });

  test('that is cancelled in the middle closes its request and emits nothing more', async () => {
    const middle = Promise.withResolvers<undefined>();
    const controller = new AbortController();
    vendors.setBehaviour({
      kind: 'answer',
      text: 'abcd',
      pace: (piece) =>
        piece === 2 ? (middle.resolve(undefined), new Promise(() => 0)) : undefined,
    });
    const { reply, pieces } = stream(vendor, { signal: controller.signal });
    await middle.promise;
    controller.abort();
    expect(await failure(reply)).toMatchObject({ code: 'cancelled', billing: 'unknown' });
    await vendors.until(([call]) => call?.aborted === true);
    expect(pieces.join('')).toMatch(/^a?b?$/);
  });
});

test('the simulated provider answers in lines, at once', async () => {
  const pieces: string[] = [];
  const reply = await createSimulated().complete(
    {
      ...callOf('openai'),
      purpose: {
        kind: 'agent',
        language: 'ko',
        node: 'reporter',
        agentName: 'writer',
        agentDescription: 'writes',
        designName: 'A design',
        designDescription: 'about something',
        upstream: [],
      },
    },
    {
      apiKey: '',
      signal: new AbortController().signal,
      timeoutMs: 1_000,
      onDelta: (text) => pieces.push(text),
    },
  );
  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.join('')).toBe(reply.content);
});
