import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Workflows } from '../../api/deps.js';
import { DomainError, type ErrorCode } from '../../domain/errors.js';
import { endedView, runView, startApiServer } from '../support/api-server.js';
import type { ApiServer, Person } from '../support/api-server.js';
import { until } from '../support/until.js';

let api: ApiServer;
let person: Person;
type Order = Parameters<Workflows['startPipeline']>[0];
let orders: Order[];

beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
  orders = [];
  const ended = endedView();
  api.workflows.startPipeline = (order) => {
    orders.push(order);
    return Promise.resolve({ kind: 'admitted', pipelineId: ended.pipeline_id });
  };
  api.workflows.waitForEnd = () => Promise.resolve(ended);
  api.workflows.readPipeline = () => Promise.resolve(null);
  api.workflows.cancelPipeline = () => Promise.resolve(null);
});
afterAll(() => api.close());

const AGENT = { name: 'Reader', role: 'collector', llm_model: 'gpt-4o', description: 'reads' };
const DESIGN = { name: 'Reader', description: 'reads a page', agents: [AGENT] };
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  api.send('POST', `/pipelines/${path}`, { token: person.token, body, headers });
const ROUTES = ['execute', 'execute-direct'];

describe.each(ROUTES)('POST /pipelines/%s', (route) => {
  test('answers when the run has ended, with its final status and result', async () => {
    const { status, body } = await post(route, { design: DESIGN });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([
      'pipeline_id',
      'status',
      'design_name',
      'started_at',
      'result',
      'waiting_for',
      'waiting_agents',
      'detail',
      'rerun_of',
    ]);
    expect(body).toMatchObject({ status: 'completed', result: { output: 'done' } });
    expect(orders[0]).toMatchObject({ userId: person.id, role: 'free', language: 'en' });
  });

  test('fills the basic form with defaults', async () => {
    await post(route, { design: DESIGN });
    expect(orders[0]?.design).toEqual({
      ...DESIGN,
      agents: [
        {
          ...AGENT,
          custom_prompt: null,
          temperature: 0.7,
          max_tokens: 4096,
          retry_count: 3,
          is_custom_role: false,
          approval: false,
          approval_timeout_seconds: 604_800,
          on_approval_timeout: 'reject',
          output_schema: null,
        },
      ],
      pros: [],
      cons: [],
      estimated_cost: 'unknown',
      complexity: 'medium',
      recommended: false,
      edges: null,
      source_hints: [],
    });
  });

  test('keeps every extended field', async () => {
    const extended = {
      custom_prompt: 'Be brief.',
      temperature: 0,
      max_tokens: 16_384,
      retry_count: 10,
      is_custom_role: true,
      approval: true,
      approval_timeout_seconds: 60,
      on_approval_timeout: 'approve',
      output_schema: { type: 'object', properties: { score: { type: 'number', maximum: 1 } } },
    };
    const edges = [
      { source: 'Reader', target: 'Writer', condition: 'score > 0.8' },
      { source: 'Reader', target: 'Other' },
    ];
    const agents = [
      { ...AGENT, ...extended },
      { ...AGENT, name: 'Writer' },
    ];
    await post(route, { design: { ...DESIGN, agents, edges } });
    const kept = { ...AGENT, ...extended, max_tokens_named: true };
    expect(orders[0]?.design.agents[0]).toEqual(kept);
    expect(orders[0]?.design.edges).toEqual([edges[0], { ...edges[1], condition: null }]);
  });

  test('answers in the language of the design', async () => {
    await post(route, { design: { ...DESIGN, description: '페이지를 읽습니다' } });
    expect(orders[0]?.language).toBe('ko');
    const full = {
      ...AGENT,
      description: '리뷰를 읽고 감성을 분석해요',
      custom_prompt: '한국어로 답해',
    };
    await post(route, { design: { ...DESIGN, agents: [full] } });
    expect(orders[1]?.language).toBe('ko');
    await post(route, { design: DESIGN });
    expect(orders[2]?.language).toBe('en');
  });

  const withAgent = (fields: object) => ({
    design: { ...DESIGN, agents: [{ ...AGENT, ...fields }] },
  });
  const withSchema = (score: object) =>
    withAgent({ output_schema: { type: 'object', properties: { score } } });
  const nested = (levels: number): object =>
    levels === 1 ? { type: 'null' } : { type: 'object', properties: { inner: nested(levels - 1) } };
  test.each<[string, unknown, string, string]>([
    ['no body field', {}, 'design', 'Field required'],
    ['no name', { design: { description: 'x' } }, 'design.name', 'Field required'],
    [
      'no object',
      { design: 'x' },
      'design',
      'Input should be a valid dictionary or object to extract fields from',
    ],
    ['a nameless agent', withAgent({ name: undefined }), 'design.agents.0.name', 'Field required'],
    [
      'too hot',
      withAgent({ temperature: 2.1 }),
      'design.agents.0.temperature',
      'Input should be less than or equal to 2',
    ],
    [
      'a temperature in words',
      withAgent({ temperature: 'hot' }),
      'design.agents.0.temperature',
      'Input should be a valid number, unable to parse string as a number',
    ],
    [
      'too cold',
      withAgent({ temperature: -0.1 }),
      'design.agents.0.temperature',
      'Input should be greater than or equal to 0',
    ],
    [
      'too many tokens',
      withAgent({ max_tokens: 16_385 }),
      'design.agents.0.max_tokens',
      'Input should be less than or equal to 16384',
    ],
    [
      'less than no retry',
      withAgent({ retry_count: -1 }),
      'design.agents.0.retry_count',
      'Input should be greater than or equal to 0',
    ],
    [
      'a pattern in a schema',
      withSchema({ type: 'string', pattern: '(a+)+$' }),
      'design.agents.0.output_schema.properties.score',
      'Value error, not supported here: pattern',
    ],
    [
      'a reference in a schema',
      withSchema({ $ref: 'https://example.com' }),
      'design.agents.0.output_schema.properties.score',
      'Value error, not supported here: $ref',
    ],
    [
      'a schema of no type',
      withSchema({ type: 'text' }),
      'design.agents.0.output_schema.properties.score.type',
      'Invalid input',
    ],
    [
      'a schema that asks for no object',
      withAgent({ output_schema: { type: 'array', items: { type: 'string' } } }),
      'design.agents.0.output_schema.type',
      'Value error, must be "object": an answer is one JSON object',
    ],
    [
      'a bound of another type',
      withSchema({ type: 'string', maximum: 1 }),
      'design.agents.0.output_schema.properties.score.maximum',
      'Value error, belongs to the type number or integer',
    ],
    [
      'a name that is none',
      withAgent({ output_schema: { type: 'object', properties: { 'a b': { type: 'null' } } } }),
      'design.agents.0.output_schema.properties.a b',
      'Value error, is no name of a property',
    ],
    [
      'a schema of 17 KB',
      withSchema({
        type: 'string',
        enum: Array.from({ length: 170 }, (_, i) => `${i}${'x'.repeat(98)}`),
      }),
      'design.agents.0.output_schema',
      'Value error, an output schema has 16384 bytes at most',
    ],
    [
      'a schema nine levels deep',
      withAgent({ output_schema: nested(9) }),
      'design.agents.0.output_schema',
      'Value error, schemas may be nested 8 levels deep at most',
    ],
    [
      'no tokens',
      withAgent({ max_tokens: 0 }),
      'design.agents.0.max_tokens',
      'Input should be greater than or equal to 1',
    ],
    [
      'half a token',
      withAgent({ max_tokens: 1.5 }),
      'design.agents.0.max_tokens',
      'Input should be a valid integer, got a number with a fractional part',
    ],
    [
      'too many retries',
      withAgent({ retry_count: 11 }),
      'design.agents.0.retry_count',
      'Input should be less than or equal to 10',
    ],
    [
      'a long prompt',
      withAgent({ custom_prompt: 'x'.repeat(4_001) }),
      'design.agents.0.custom_prompt',
      'String should have at most 4000 characters',
    ],
    [
      '101 agents',
      { design: { ...DESIGN, agents: Array.from({ length: 101 }, () => AGENT) } },
      'design.agents',
      'List should have at most 100 items after validation, not 101',
    ],
    [
      'a long name',
      { design: { ...DESIGN, name: 'x'.repeat(256) } },
      'design.name',
      'String should have at most 255 characters',
    ],
    [
      'a NUL',
      { design: { ...DESIGN, name: 'a\0' } },
      'design.name',
      'Value error, text must not contain NUL characters',
    ],
  ])('%s is 422', async (...row) => {
    const [, sent, field, msg] = row;
    const { status, body } = await post(route, sent);
    expect([status, body]).toEqual([422, { detail: [{ field, msg }] }]);
    expect(orders).toEqual([]);
  });

  test.each([
    { temperature: 0, max_tokens: 1, retry_count: 0 },
    { temperature: 2, max_tokens: 16_384, retry_count: 10, custom_prompt: 'x'.repeat(4_000) },
  ])('the limits themselves are allowed: %j', async (limits) => {
    expect((await post(route, withAgent(limits))).status).toBe(200);
    expect(orders[0]?.design.agents[0]).toMatchObject(limits);
  });

  test.each([0, 21, 100])('%i agents are for the graph to judge', async (count) => {
    const agents = Array.from({ length: count }, () => AGENT);
    expect((await post(route, { design: { ...DESIGN, agents } })).status).toBe(200);
  });

  test.each<[ErrorCode, string, number]>([
    ['over-budget', 'Daily cost limit exceeded: $1.00 of $1.00', 429],
    ['pipelines-per-day', 'Pipelines per day: 3 of 3', 429],
    ['pipeline-running', 'A pipeline is already running. Please wait.', 429],
    ['no-llm-key', 'No LLM key is registered.', 400],
    ['llm-key-unreadable', 'The stored LLM key cannot be read any more.', 400],
    ['unavailable', 'Please try again.', 503],
  ])('a refusal %s is shown with its text', async (code, detail, status) => {
    const error = new DomainError(code, detail);
    api.workflows.startPipeline = () => Promise.resolve({ kind: 'refused', error });
    const answer = await post(route, { design: DESIGN });
    expect([answer.status, answer.body]).toEqual([status, { detail }]);
  });

  test('an unexpected failure before the run is 500', async () => {
    api.workflows.startPipeline = () => Promise.reject(new Error('the inner cause'));
    const answer = await post(route, { design: DESIGN });
    expect([answer.status, answer.body]).toEqual([500, { detail: 'Internal server error' }]);
    const failures = api.lines().filter(({ event }) => event === 'request failed');
    expect(failures.at(-1)).toMatchObject({ userId: person.id, traceId: expect.any(String) });
  });

  test('unknown fields are ignored, in the body, its design and its agents', async () => {
    const agents = [{ ...AGENT, color: 'red' }];
    const { status } = await post(route, { design: { ...DESIGN, agents, theme: 1 }, debug: true });
    expect(status).toBe(200);
    expect(JSON.stringify(orders[0])).not.toMatch(/color|theme|debug/);
  });

  test('a failed run is 200', async () => {
    api.workflows.waitForEnd = () => Promise.resolve(endedView({ status: 'failed' }));
    const { status, body } = await post(route, { design: DESIGN });
    expect([status, body.status]).toEqual([200, 'failed']);
  });

  test('with Prefer: respond-async it does not wait', async () => {
    const running = runView();
    api.workflows.startPipeline = () =>
      Promise.resolve({ kind: 'admitted', pipelineId: running.pipeline_id });
    api.workflows.readPipeline = () => Promise.resolve(running);
    api.workflows.waitForEnd = () => new Promise(() => undefined);
    const answer = await post(route, { design: DESIGN }, { Prefer: 'wait=1, respond-async' });
    expect([answer.status, answer.body]).toEqual([202, running]);
    expect(answer.headers.get('location')).toBe(`/api/v1/pipelines/${running.pipeline_id}/status`);
  });

  test('a run that goes on after the wait is 202 with its address', async () => {
    const running = runView();
    api.workflows.startPipeline = () =>
      Promise.resolve({ kind: 'admitted', pipelineId: running.pipeline_id });
    let waitMs = 0;
    api.workflows.waitForEnd = (_id, options) => {
      waitMs = options.waitMs;
      return Promise.resolve(running);
    };
    const answer = await post(route, { design: DESIGN });
    expect([answer.status, answer.body.status]).toEqual([202, 'running']);
    expect(answer.headers.get('location')).toContain(running.pipeline_id);
    expect(waitMs).toBeGreaterThan(300_000);
  });

  test('a client that hangs up ends its wait, and nothing else', async () => {
    let hasAborted = false;
    let isWaiting = false;
    let cancelled = 0;
    api.workflows.cancelPipeline = () => {
      cancelled += 1;
      return Promise.resolve(null);
    };
    api.workflows.waitForEnd = async (_id, { signal }) => {
      isWaiting = true;
      await once(signal, 'abort');
      hasAborted = true;
      return runView();
    };
    const call = httpRequest(`${api.url}/api/v1/pipelines/${route}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${person.token}`, 'Content-Type': 'application/json' },
    });
    call.on('error', () => undefined);
    call.end(JSON.stringify({ design: DESIGN }));
    await until('the wait', () => isWaiting);
    call.destroy();
    await until('the abort', () => hasAborted);
    expect(cancelled).toBe(0);
  });

  test('needs a signed-in user', async () => {
    expect((await api.send('POST', `/pipelines/${route}`, { body: {} })).status).toBe(401);
  });
});

describe('running what a discussion has confirmed', () => {
  test('asks for that conversation', async () => {
    const conversationId = randomUUID();
    const asked: unknown[] = [];
    api.workflows.runConfirmed = (order) => {
      asked.push(order);
      return Promise.resolve({ kind: 'admitted', pipelineId: randomUUID() });
    };
    const { status } = await post('execute', { conversation_id: conversationId });
    expect(status).toBe(200);
    const orderOf = { userId: person.id, role: 'free', conversationId, onBudget: 'stop' };
    expect(asked).toEqual([orderOf]);
    expect(api.lines().at(-1)).toMatchObject({ event: 'request', conversationId });
  });

  test.each<[ErrorCode, string, number]>([
    ['nothing-confirmed', 'The discussion has not confirmed a design', 409],
    ['not-found', 'Conversation not found', 404],
  ])('%s is shown with its text', async (code, detail, status) => {
    const error = new DomainError(code, detail);
    api.workflows.runConfirmed = () => Promise.resolve({ kind: 'refused', error });
    const answer = await post('execute', { conversation_id: randomUUID() });
    expect([answer.status, answer.body]).toEqual([status, { detail }]);
  });

  test('and a design at once is 422', async () => {
    const body = { design: DESIGN, conversation_id: randomUUID() };
    expect((await post('execute', body)).status).toBe(422);
    expect((await post('execute', { conversation_id: '7' })).body.detail[0]).toEqual({
      field: 'conversation_id',
      msg: 'Input should be a valid UUID',
    });
  });
});

describe('running a template', () => {
  async function save(userId: string, designData: object, isPublic: boolean): Promise<string> {
    const id = randomUUID();
    const documents = { graphData: '{}', designData: JSON.stringify(designData) };
    await api.db
      .insertInto('pipelineTemplates')
      .values({ id, userId, name: 'T', isPublic, ...documents })
      .execute();
    return id;
  }

  test('runs the design of an own or a public one', async () => {
    const stranger = await api.register();
    for (const template_id of [
      await save(person.id, DESIGN, false),
      await save(stranger.id, DESIGN, true),
    ]) {
      expect((await post('execute-direct', { template_id })).status).toBe(200);
    }
    expect(orders.map((order) => order.design.name)).toEqual(['Reader', 'Reader']);
  });

  test('a private one of someone else is exactly like a missing one', async () => {
    const stranger = await api.register();
    for (const template_id of [await save(stranger.id, DESIGN, false), randomUUID()]) {
      const { status, body } = await post('execute-direct', { template_id });
      expect([status, body]).toEqual([404, { detail: 'Template not found' }]);
    }
  });

  test('one that holds no design is 422', async () => {
    const template_id = await save(person.id, {}, false);
    const { status, body } = await post('execute-direct', { template_id });
    expect(status).toBe(422);
    expect(body.detail[0]).toEqual({ field: 'design_data.name', msg: 'Field required' });
  });
});

describe('a run', () => {
  const ask = (path: string, method = 'GET') =>
    api.send(method, `/pipelines/${path}`, { token: person.token });

  test('shows its status and, once ended, its result', async () => {
    const running = runView();
    const owners: string[] = [];
    api.workflows.readPipeline = (userId) => {
      owners.push(userId);
      return Promise.resolve(running);
    };
    const status = await ask(`${running.pipeline_id}/status`);
    expect([status.status, status.body]).toEqual([200, running]);
    const early = await ask(`${running.pipeline_id}/result`);
    expect([early.status, early.body]).toEqual([202, { detail: 'Pipeline still running' }]);
    const ended = endedView();
    api.workflows.readPipeline = () => Promise.resolve(ended);
    const late = await ask(`${ended.pipeline_id}/result`);
    expect([late.status, late.body]).toEqual([200, ended.result]);
    expect(owners).toEqual([person.id, person.id]);
  });

  test('is cancelled with 202, or was over with 200', async () => {
    const view = runView();
    api.workflows.cancelPipeline = () => Promise.resolve({ kind: 'asked', view });
    const asked = await ask(`${view.pipeline_id}/cancel`, 'POST');
    expect([asked.status, asked.body]).toEqual([202, view]);
    const ended = endedView();
    api.workflows.cancelPipeline = () => Promise.resolve({ kind: 'already-ended', view: ended });
    const late = await ask(`${view.pipeline_id}/cancel`, 'POST');
    expect([late.status, late.body]).toEqual([200, ended]);
  });

  test('that cannot be shown now is logged with its id', async () => {
    api.workflows.readPipeline = () => Promise.reject(new Error('inner'));
    const pipelineId = randomUUID();
    expect((await ask(`${pipelineId}/status`)).status).toBe(500);
    const failures = api.lines().filter(({ event }) => event === 'request failed');
    expect(failures.at(-1)).toMatchObject({ userId: person.id, pipelineId });
  });

  test.each([
    ['GET', 'status'],
    ['GET', 'result'],
    ['POST', 'cancel'],
  ])('that is foreign, missing or misspelt is the same 404: %s %s', async (method, what) => {
    for (const id of [randomUUID(), 'anything', '42', '%00']) {
      const { status, body } = await ask(`${id}/${what}`, method);
      expect([status, body]).toEqual([404, { detail: 'Pipeline run not found' }]);
    }
  });
});
