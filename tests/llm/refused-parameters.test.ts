/** A parameter that a vendor names as refused is left out once, and remembered. */
import type { Vendor } from '../../domain/agents/models.js';
import type { CallOptions, ModelCall, ModelParameters, Provider } from '../../llm/model.js';
import { RefusedParameters, findRefusedParameter } from '../../llm/providers/refused-parameters.js';
import { parametersOf } from '../support/models.js';
import { createProviders } from '../support/vendors/providers.js';
import {
  startStandInVendors,
  type Behaviour,
  type StandInVendors,
  type VendorCall,
} from '../support/vendors/server.js';

let vendors: StandInVendors;
let providers: Record<Vendor, Provider>;

beforeAll(async () => {
  vendors = await startStandInVendors();
});
beforeEach(() => {
  providers = createProviders(vendors);
  vendors.setBehaviour();
  vendors.clear();
});
afterAll(() => vendors.close());

const ANSWER = {
  name: 'answer',
  schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
};

function callOf(vendor: Vendor, change: Partial<ModelCall> = {}): ModelCall {
  return {
    model: 'a-model',
    messages: [{ role: 'user', content: 'Hello.' }],
    temperature: 0.7,
    maxTokens: 100,
    parameters: parametersOf(vendor),
    purpose: { kind: 'key-check' },
    ...change,
  };
}

const ask = (vendor: Vendor, change?: Partial<ModelCall>, options?: Partial<CallOptions>) =>
  providers[vendor].complete(callOf(vendor, change), {
    ...{ apiKey: 'sk-key', signal: new AbortController().signal, timeoutMs: 10_000 },
    ...options,
  });

type Complaint = Partial<Extract<Behaviour, { kind: 'status' }>>;

/** Refuses every request whose body holds that text. */
function refuse(part: string, complaint: Complaint): void {
  vendors.setBehaviour((call: VendorCall) =>
    JSON.stringify(call.body).includes(part)
      ? { kind: 'status', status: 400, ...complaint }
      : undefined,
  );
}

const CASES: readonly (readonly [string, Vendor, string, Complaint, Partial<ModelParameters>])[] = [
  [
    'a temperature, as OpenAI names it',
    'openai',
    '"temperature"',
    {
      message:
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
      param: 'temperature',
      code: 'unsupported_value',
    },
    {},
  ],
  [
    'the newer cap',
    'openai',
    '"max_completion_tokens"',
    { message: 'Unrecognized request argument supplied: max_completion_tokens' },
    {},
  ],
  [
    'the older cap',
    'openai',
    '"max_tokens"',
    {
      message:
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      param: 'max_tokens',
      code: 'unsupported_parameter',
    },
    { outputCap: 'max_tokens' },
  ],
  [
    'an effort',
    'openai',
    '"reasoning_effort"',
    { message: "Unsupported parameter: 'reasoning_effort'", param: 'reasoning_effort' },
    { effort: 'low' },
  ],
  [
    'a schema',
    'openai',
    '"response_format"',
    { message: 'This response_format type is unavailable now', code: 'invalid_request_error' },
    {},
  ],
  [
    'a temperature, as Anthropic names it',
    'anthropic',
    '"temperature"',
    { message: '`temperature` is deprecated for this model.', code: 'invalid_request_error' },
    {},
  ],
  [
    'no thinking',
    'anthropic',
    '"thinking"',
    { message: '"thinking.type.disabled" is not supported for this model.' },
    { thinkingBudget: 0 },
  ],
  [
    'a level of thinking',
    'google',
    '"thinkingLevel"',
    { message: 'Thinking level is not supported for this model.', code: 'INVALID_ARGUMENT' },
    { effort: 'minimal' },
  ],
];

test.each(CASES)('%s is left out once, and remembered', async (...row) => {
  const [, vendor, part, complaint, change] = row;
  refuse(part, complaint);
  const parameters = { ...parametersOf(vendor), ...change };
  const first = await ask(vendor, { parameters, answer: ANSWER });
  expect(first.finish).toBe('stop');
  const sent = () => vendors.calls.map(({ body }) => JSON.stringify(body).includes(part));
  expect(sent()).toEqual([true, false]);
  await ask(vendor, { parameters, answer: ANSWER });
  expect(sent()).toEqual([true, false, false]);
  await ask(vendor, { parameters, answer: ANSWER, model: 'other-model' });
  expect(sent()).toEqual([true, false, false, true, false]);
});

test('a cap is replaced and never left out', async () => {
  refuse('"max_completion_tokens"', { message: 'max_completion_tokens is not supported' });
  await ask('openai');
  expect(vendors.calls[1]?.maxTokens).toBe(100);
});

test('two parameters are left out one after the other', async () => {
  vendors.setBehaviour(({ body }) => {
    const text = JSON.stringify(body);
    const refused = ['temperature', 'response_format'].find((name) => text.includes(`"${name}"`));
    return refused === undefined
      ? undefined
      : { kind: 'status', status: 422, message: `${refused} is not supported`, param: refused };
  });
  await ask('openai', { answer: ANSWER });
  expect(vendors.calls).toHaveLength(3);
});

test('a server that takes no stream answers in one piece, which is emitted', async () => {
  refuse('"stream"', { message: 'stream_options: streaming is not supported' });
  const pieces: string[] = [];
  const reply = await ask('openai', {}, { onDelta: (text) => pieces.push(text) });
  expect(pieces.join('')).toBe(reply.content);
  expect(vendors.calls.map(({ isStreamed }) => isStreamed)).toEqual([true, true, false]);
});

test.each([
  ['what is no parameter of ours', 400, 'messages: unsupported role'],
  ['a value that is merely wrong', 400, "Invalid schema for response_format 'answer'"],
  ['another failure that names one', 503, 'temperature is not supported'],
])('%s is the failure of the call, asked once', async (_what, status, message) => {
  vendors.setBehaviour({ kind: 'status', status, message });
  await expect(ask('openai', { answer: ANSWER })).rejects.toThrow();
  expect(vendors.calls).toHaveLength(1);
});

test('a server that refuses every request is asked twice, and nothing is remembered', async () => {
  vendors.setBehaviour({ kind: 'status', status: 400, message: 'temperature is not supported' });
  await expect(ask('openai')).rejects.toMatchObject({ code: 'model-request-invalid' });
  expect(vendors.calls).toHaveLength(2);
  vendors.setBehaviour();
  await ask('openai');
  expect(vendors.calls[2]?.body).toHaveProperty('temperature', 0.7);
});

test('a sentence in other words is no refusal', () => {
  const named = findRefusedParameter({ parameter: 'temperature', sentence: 'too hot' });
  expect(named).toBeNull();
});

test('what is remembered is bounded', async () => {
  const memory = new RefusedParameters();
  const refusal = Object.assign(new Error('temperature is not supported'), { status: 400 });
  const sends: ModelParameters['temperature'][] = [];
  const send = (model: string) =>
    memory.send(model, parametersOf('openai'), ({ temperature }) => {
      sends.push(temperature);
      return temperature === null ? Promise.resolve() : Promise.reject(refusal);
    });
  for (let model = 0; model <= 1_000; model += 1) {
    await send(`model-${model}`);
  }
  sends.length = 0;
  await send('model-1000');
  expect(sends).toEqual([null]);
  await send('model-0'); // the oldest, forgotten
  expect(sends).toEqual([null, [0, 2], null]);
});
