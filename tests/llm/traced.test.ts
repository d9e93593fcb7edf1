import type { ModelReply, ProviderName } from '../../domain/agents/models.js';
import type { CallOptions, ModelCall, Provider } from '../../llm/model.js';
import { traceProvider } from '../../llm/providers/traced.js';
import { parametersOf } from '../support/models.js';
import type { Attributes, SpanSpec, Tracing } from '../../telemetry/tracing.js';

const CALL: ModelCall = {
  model: 'a-model',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'x'.repeat(10_000) },
    { role: 'assistant', content: 'Hello.' },
  ],
  temperature: 0.3,
  maxTokens: 321,
  parameters: parametersOf('openai'),
  purpose: { kind: 'key-check' },
};
const OPTIONS: CallOptions = {
  apiKey: 'canary-of-the-key',
  signal: new AbortController().signal,
  timeoutMs: 1_000,
};

function answering(name: ProviderName, finish: ModelReply['finish'] = 'stop'): Provider {
  const usage = { promptTokens: 17, completionTokens: 5 };
  const reply = { content: 'Hi.', provider: name, model: 'a-model', usage, finish };
  return {
    name,
    complete: () => Promise.resolve({ ...reply, requestId: 'request-1' }),
    checkKey: () => Promise.resolve({ kind: 'invalid' }),
  };
}

async function spanOf(
  provider: Provider,
  { captureContent = false, isOn = true, call = CALL } = {},
): Promise<Omit<SpanSpec, 'attributes'> & { attributes: Attributes }> {
  const spans: SpanSpec[] = [];
  let later: Attributes = {};
  const tracing: Tracing = {
    isOn,
    inSpan(spec, work) {
      spans.push(spec);
      return work({
        set: (attributes) => {
          later = { ...later, ...attributes };
        },
        fail: () => undefined,
      });
    },
    report: () => undefined,
    close: () => Promise.resolve(),
  };
  await traceProvider(provider, { tracing, captureContent }).complete(call, OPTIONS);
  const [{ attributes = {}, ...span } = { name: '', kind: 'internal' as const }] = spans;
  return { ...span, attributes: { ...attributes, ...later } };
}

test.each([
  ['openai', 'openai', 'chat a-model', 'client'],
  ['anthropic', 'anthropic', 'chat a-model', 'client'],
  ['google', 'gcp.gemini', 'generate_content a-model', 'client'],
  ['simulated', 'agentforge.simulated', 'chat a-model', 'internal'],
] as const)('%s is %s to the conventions', async (vendor, known, name, kind) => {
  const span = await spanOf(answering(vendor));
  expect(span).toMatchObject({ name, kind, attributes: { 'gen_ai.provider.name': known } });
  expect(JSON.stringify(span)).not.toContain('canary');
});

test.each([
  ['stop', 'stop'],
  ['length', 'length'],
  ['refused', 'content_filter'],
] as const)('a reply that ends by %s has the reason %s', async (finish, reason) => {
  const { attributes } = await spanOf(answering('openai', finish));
  expect(attributes['gen_ai.response.finish_reasons']).toEqual([reason]);
});

test.each([
  ['they were not asked for', { captureContent: false }],
  ['no spans are exported', { captureContent: true, isOn: false }],
])('texts are left out where %s', async (_why, settings) => {
  const { attributes } = await spanOf(answering('openai'), settings);
  const names = Object.keys(attributes);
  expect(names).toContain('gen_ai.usage.input_tokens');
  expect(names.filter((name) => /messages|instructions/.test(name))).toEqual([]);
});

test('texts that were asked for are there, the long ones cut', async () => {
  const { attributes } = await spanOf(answering('openai'), { captureContent: true });
  const read = (name: string) => JSON.parse(String(attributes[name]));
  const part = (content: string) => ({ type: 'text', content });
  expect(read('gen_ai.system_instructions')).toEqual([part('Be brief.')]);
  expect(read('gen_ai.input.messages')).toEqual([
    { role: 'user', parts: [part('x'.repeat(8_192))] },
    { role: 'assistant', parts: [part('Hello.')] },
  ]);
  expect(read('gen_ai.output.messages')).toEqual([
    { role: 'assistant', parts: [part('Hi.')], finish_reason: 'stop' },
  ]);
});

test('what looks like a key is masked, and the rest of the texts can be read', async () => {
  const contents = ['see http://host:80', 'me@example.com', 'http://a:pass@host sk-abcdefghijkl'];
  const messages = contents.map((content) => ({ role: 'user' as const, content }));
  const call = { ...CALL, messages };
  const { attributes } = await spanOf(answering('openai'), { captureContent: true, call });
  const sent = String(attributes['gen_ai.input.messages']); // sent as it is
  const masked = [...contents.slice(0, 2), 'http://a:[masked]@host [masked]'];
  expect(JSON.parse(sent)).toEqual(
    masked.map((content) => ({ role: 'user', parts: [{ type: 'text', content }] })),
  );
});

test('a key that the cut goes through leaves nothing', async () => {
  const content = `${'x '.repeat(4_092)}sk-abcdefghijkl`;
  const call = { ...CALL, messages: [{ role: 'user' as const, content }] };
  const { attributes } = await spanOf(answering('openai'), { captureContent: true, call });
  expect(attributes['gen_ai.input.messages']).not.toContain('sk-');
  expect(attributes['gen_ai.input.messages']).toContain('[masked]');
});

test('other questions to a vendor are asked unchanged', async () => {
  const provider = answering('openai');
  const tracing: Tracing = {
    isOn: true,
    inSpan: () => Promise.reject(new Error('no span')),
    report: () => undefined,
    close: () => Promise.resolve(),
  };
  const traced = traceProvider(provider, { tracing, captureContent: true });
  expect(await traced.checkKey(OPTIONS)).toEqual({ kind: 'invalid' });
  expect(traced.name).toBe('openai');
});
