/** The OpenTelemetry spans of one chat turn and of one run. */
import { randomBytes } from 'node:crypto';
import { discussionWorkflowId, pipelineWorkflowId } from '../../domain/ids.js';
import { STOPPING } from '../../scripts/embedded/stopping.js';
import { register, type Chat, type Person } from '../support/person.js';
import {
  startOtlpReceiver,
  treeOf,
  type OtlpReceiver,
  type ReceivedSpan,
} from '../support/otlp-receiver.js';
import { until } from '../support/until.js';
import {
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

const CLIENT_SPAN = '00f067aa0ba902b7';
const REQUEST = 'Compare three podcast apps from https://example.com/reviews and write a report';

let receiver: OtlpReceiver;
let fixture: VendorProduct;
let person: Person;
let chat: Chat;
let conversationId: string;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  fixture = await startVendorProduct({
    env: { ...tracesTo(receiver), SIMULATED_MODELS: 'false' },
  });
  person = await register(fixture.product.url);
  await registerKeys(person, ['openai']);
  conversationId = await person.startConversation();
  chat = await person.chat(conversationId);
});
afterAll(async () => {
  await chat.close();
  await fixture.close();
  await receiver.close();
});

function tracesTo({ url }: OtlpReceiver): Record<string, string> {
  return { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '50' };
}

/** The spans of a trace, when one that comes late has come. */
async function spansOf(
  traceId: string,
  last: string,
  { spans } = receiver,
): Promise<readonly ReceivedSpan[]> {
  const mine = () => spans.filter((span) => span.traceId === traceId);
  await until(`${last} has come`, () => mine().some(({ name }) => name === last));
  return until('all above have come', () => {
    const found = mine();
    const ids = new Set(['', CLIENT_SPAN, ...found.map(({ spanId }) => spanId)]);
    return found.every(({ parentSpanId }) => ids.has(parentSpanId)) ? found : null;
  });
}

function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.find((span) => span.name === name);
  if (found === undefined) {
    throw new Error(`no span ${name}`);
  }
  return found;
}

/** @returns the trace of the message just sent */
async function say(content: string): Promise<string> {
  await chat.say(content);
  const echo = chat.events.findLast(({ type }) => type === 'user_message_received');
  return String(echo?.['message_id']).replaceAll('-', '');
}

function run(who: Person, description: string, traceparent: string) {
  const agent = { name: 'one', role: 'analyzer', llm_model: 'gpt-4o-mini', retry_count: 2 };
  const design = { name: 'A design', description, agents: [{ ...agent, description }] };
  return who.ask('POST', '/pipelines/execute', { design }, { traceparent });
}

test('a chat turn: message, signal, turn, activity, vendor calls', async () => {
  await spansOf(await say('help me'), 'RunTurn:discussionWorkflow'); // it is awake now
  const spans = await spansOf(await say(REQUEST), 'RunTurn:discussionWorkflow');
  expect(treeOf(spans)).toEqual([
    {
      'chat message': [
        {
          'SignalWorkflow:userMessage': [
            {
              'RunTurn:discussionWorkflow': [
                { 'RunActivity:takeTurn': ['chat gpt-6-luna', 'chat gpt-6-sol'] },
              ],
            },
          ],
        },
      ],
    },
  ]);
  expect(spans.every(({ isFailed }) => !isFailed)).toBe(true);
  const about = { 'user.id': person.userId, 'agentforge.conversation.id': conversationId };
  for (const { attributes, startedAt, endedAt } of spans) {
    expect(attributes).toMatchObject(about);
    expect(endedAt >= startedAt).toBe(true);
  }
  const workflow = { temporalWorkflowID: discussionWorkflowId(conversationId) };
  expect(named(spans, 'chat message')).toMatchObject({ kind: 'server', service: 'agentforge-api' });
  expect(named(spans, 'SignalWorkflow:userMessage')).toMatchObject({
    kind: 'client',
    service: 'agentforge-api',
    attributes: workflow,
  });
  const turn = named(spans, 'RunTurn:discussionWorkflow');
  expect(turn).toMatchObject({
    kind: 'server',
    service: 'agentforge-worker',
    attributes: workflow,
  });
  expect(named(spans, 'RunActivity:takeTurn')).toMatchObject({
    kind: 'server',
    service: 'agentforge-worker',
    attributes: {
      ...workflow,
      temporalRunID: turn.attributes['temporalRunID'],
      temporalActivityID: expect.any(String),
      'agentforge.activity.attempt': 1,
    },
  });
});

test('a vendor call: model, tokens and reasons under the names of the GenAI conventions', async () => {
  const traceId = await say(`${REQUEST}, please`);
  const spans = await spansOf(traceId, 'RunTurn:discussionWorkflow');
  const call = named(spans, 'chat gpt-6-sol');
  const vendorCall = completions(fixture.vendors, person.userId).findLast(
    ({ model }) => model === 'gpt-6-sol',
  );
  expect(call).toMatchObject({ kind: 'client', service: 'agentforge-worker' });
  expect(call.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-6-sol',
    'gen_ai.request.max_tokens': vendorCall?.maxTokens,
    'gen_ai.request.temperature': 0.5,
    'gen_ai.output.type': 'json',
    'gen_ai.conversation.id': conversationId,
    'gen_ai.response.model': 'gpt-6-sol',
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': vendorCall?.usage?.promptTokens,
    'gen_ai.usage.output_tokens': vendorCall?.usage?.completionTokens,
    'agentforge.vendor.request_id': expect.stringMatching(/^req-/),
    'agentforge.step.id': expect.any(String),
    'agentforge.request.id': expect.any(String),
    'agentforge.conversation.id': conversationId,
    'user.id': person.userId,
  });
});

test('a run: request, start, workflow, activities; a try that failed is a span of its own', async () => {
  let isFirst = true;
  fixture.vendors.setBehaviour(({ prompt }) => {
    const fails = isFirst && prompt.includes('fails once');
    isFirst &&= !fails;
    return fails ? { kind: 'status', status: 500 } : undefined;
  });
  const traceId = randomBytes(16).toString('hex');
  const { body } = await run(person, 'it fails once', `00-${traceId}-${CLIENT_SPAN}-01`);
  expect(body.status).toBe('completed');
  const spans = await spansOf(traceId, 'POST /api/v1/pipelines/execute');
  await spansOf(traceId, 'RunWorkflow:pipelineWorkflow');
  const all = receiver.spans.filter((span) => span.traceId === traceId);
  expect(treeOf(all, CLIENT_SPAN)).toEqual([
    {
      'POST /api/v1/pipelines/execute': [
        {
          'StartWorkflow:pipelineWorkflow': [
            {
              'RunWorkflow:pipelineWorkflow': [
                'RunActivity:openRun',
                { 'RunActivity:runAgent': ['chat gpt-4o-mini', 'SignalWorkflow:attemptFailed'] },
                { 'RunActivity:runAgent': ['chat gpt-4o-mini'] },
                'RunActivity:closeRun', // archives are made for many runs at once, in a trace of their own
              ],
            },
          ],
        },
      ],
    },
  ]);
  expect(named(spans, 'POST /api/v1/pipelines/execute').attributes).toEqual({
    'http.request.method': 'POST',
    'http.route': '/api/v1/pipelines/execute',
    'http.response.status_code': 200,
    'agentforge.request.id': expect.any(String),
    'agentforge.pipeline.id': body.pipeline_id,
    'user.id': person.userId,
  });
  const ids = { temporalWorkflowID: pipelineWorkflowId(body.pipeline_id) };
  expect(named(all, 'StartWorkflow:pipelineWorkflow').attributes).toMatchObject(ids);
  expect(named(all, 'RunWorkflow:pipelineWorkflow')).toMatchObject({
    isFailed: false,
    attributes: { ...ids, 'user.id': person.userId, 'agentforge.pipeline.id': body.pipeline_id },
  });
  const inOrder = (name: string) =>
    all.filter((span) => span.name === name).sort((a, b) => Number(a.startedAt - b.startedAt));
  expect(inOrder('RunActivity:runAgent')).toMatchObject([
    {
      isFailed: true,
      attributes: { 'agentforge.activity.attempt': 1, 'error.type': 'model-unavailable' },
    },
    { isFailed: false, attributes: { 'agentforge.activity.attempt': 2 } },
  ]);
  expect(inOrder('chat gpt-4o-mini')).toMatchObject([
    { isFailed: true, attributes: { 'error.type': 'model-unavailable' } },
    { isFailed: false, attributes: { 'gen_ai.output.type': 'text' } },
  ]);
});

test('a run of a discussion that was asked for over HTTP belongs to that request', async () => {
  const { body: keys } = await person.ask('GET', '/llm-keys');
  await person.ask('DELETE', `/llm-keys/${keys[0].id}`);
  const confirmed = await say('ok, option 1'); // which cannot be run without a key
  await registerKeys(person, ['openai']);
  const traceId = randomBytes(16).toString('hex');
  const traceparent = `00-${traceId}-${CLIENT_SPAN}-01`;
  const order = { conversation_id: conversationId };
  const { body } = await person.ask('POST', '/pipelines/execute', order, { traceparent });
  expect(body.status).toBe('completed');
  await chat.next('pipeline_result');
  const spans = await spansOf(traceId, 'RunWorkflow:pipelineWorkflow');
  const [signal] = spans.filter(({ kind, service }) =>
    [kind, service].every((word) => ['client', 'agentforge-api'].includes(word)),
  );
  expect(signal?.name).toBe('SignalWorkflow:runAdmitted');
  expect(named(spans, 'RunWorkflow:pipelineWorkflow')).toMatchObject({
    parentSpanId: signal?.spanId,
    attributes: { 'agentforge.pipeline.id': body.pipeline_id },
  });
  const before = receiver.spans.filter((span) => span.traceId === confirmed);
  expect(before.map(({ name }) => name)).not.toContain('RunWorkflow:pipelineWorkflow');
});

test('a trace that its client does not sample is not kept', async () => {
  const [dropped, kept] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
  const other = await register(fixture.product.url);
  await registerKeys(other, ['openai']);
  await run(other, 'do not keep this', `00-${dropped}-${CLIENT_SPAN}-00`);
  await run(other, 'keep this', `00-${kept}-${CLIENT_SPAN}-01`);
  await spansOf(kept, 'RunWorkflow:pipelineWorkflow');
  expect(receiver.spans.filter(({ traceId }) => traceId === dropped)).toEqual([]);
});

test('a request is named by its route, and its query is in no span', async () => {
  const missing = '7d1f0c3a-0000-4000-8000-0123456789ab';
  await person.ask('GET', `/conversations/${missing}?token=canary-of-the-query`);
  await person.ask('GET', '/nowhere/canary-of-the-path');
  const [known, unknown] = await until('both have come', () => {
    const found = ['GET /api/v1/conversations/{id}', 'GET'].map((name) =>
      receiver.spans.find((span) => span.name === name),
    );
    return found.every((span) => span !== undefined) ? found : null;
  });
  expect(known?.attributes).toMatchObject({ 'http.response.status_code': 404 });
  expect(known?.isFailed).toBe(false);
  expect(unknown?.attributes).not.toHaveProperty('http.route');
  expect(receiver.bodies.join('\n')).not.toContain('canary-of-the');
  expect(receiver.spans.filter(({ name }) => /healthz|readyz|metrics/.test(name))).toEqual([]);
});

test('without being asked for, no text of users or models is in any span', () => {
  const all = receiver.bodies.join('\n');
  expect(all).toContain('gen_ai.usage.output_tokens');
  for (const text of ['podcast', 'fails once', 'stand-in answer', 'A design']) {
    expect(all).not.toContain(text);
  }
});

test('where it is asked for, prompts and answers are, without what looks like a key', async () => {
  const captured = await startOtlpReceiver();
  const other = await startVendorProduct({
    env: {
      ...tracesTo(captured),
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
      OTEL_SERVICE_NAME: 'somebody’s',
    },
  });
  const owner = await register(other.product.url);
  await registerKeys(owner, ['openai']);
  const traceId = randomBytes(16).toString('hex');
  const text = 'tell of sk-abcdefghijkl';
  await run(owner, text, `00-${traceId}-${CLIENT_SPAN}-01`);
  const spans = await spansOf(traceId, 'chat gpt-4o-mini', captured);
  const call = named(spans, 'chat gpt-4o-mini');
  expect(call.service).toBe('somebody’s');
  const read = (name: string) => JSON.parse(call.attributes[name]);
  expect(read('gen_ai.output.messages')).toEqual([
    {
      role: 'assistant',
      parts: [{ type: 'text', content: expect.stringContaining('stand-in answer') }],
      finish_reason: 'stop',
    },
  ]);
  expect(read('gen_ai.system_instructions')).toEqual([
    { type: 'text', content: expect.any(String) },
  ]);
  const [message] = read('gen_ai.input.messages');
  expect(message).toMatchObject({ role: 'user', parts: [{ type: 'text' }] });
  expect(call.attributes['gen_ai.input.messages']).toContain('tell of [masked]');
  expect(captured.bodies.join('\n')).not.toContain('sk-abcdefghijkl');
  await other.close();
  await captured.close();
});

test('a receiver that hangs delays no run, and no end of a process', async () => {
  const other = await register(fixture.product.url);
  await registerKeys(other, ['openai']);
  receiver.hang();
  const { body } = await run(other, 'go on', `00-${'a'.repeat(32)}-${CLIENT_SPAN}-01`);
  expect(body.status).toBe('completed');
  const startedAt = performance.now();
  const { apis, workers } = fixture.product;
  const codes = await Promise.all([...apis, ...workers].map((part) => part.stop()));
  expect(codes).toEqual([0, 0]);
  expect(performance.now() - startedAt).toBeLessThan(STOPPING.worker.stopTimeoutMs);
});
