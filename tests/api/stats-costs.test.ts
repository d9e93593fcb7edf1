/** What a user's calls cost, by what they were for. */
import { randomUUID } from 'node:crypto';
import type { Insertable } from 'kysely';
import type { CostLedgerTable } from '../../db/schema.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { createTestConversation } from '../support/runs.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const ask = (query: string, token = person.token) =>
  api.send('GET', `/stats/costs?${query}`, { token });
const dayBefore = (days: number) =>
  new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

async function call(fields: Partial<Insertable<CostLedgerTable>> = {}): Promise<void> {
  const id = randomUUID();
  await api.db
    .insertInto('costLedger')
    .values({
      ...{ id, stepId: `${id}:intent:0`, runId: 'r', attempt: 1, callNumber: 1 },
      ...{ userId: person.id, date: dayBefore(0), provider: 'openai', model: 'gpt-4o' },
      ...{ state: 'settled', cost: '0.5', reserved: '1', maxTokens: 100 },
      ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', serviceTier: null },
      ...{ promptTokens: 10, completionTokens: 20 },
      ...fields,
    })
    .execute();
}

async function run(fields: { templateId?: string; conversationId?: string } = {}) {
  const id = randomUUID();
  await api.db
    .insertInto('pipelineExecutions')
    .values({
      ...{ id, userId: person.id, designName: 'Reader', design: '{}', language: 'en' },
      ...{ simulated: true, holdsSlot: false, agentCount: 3, status: 'completed' },
      ...fields,
    })
    .execute();
  return id;
}

const shortOf = (body: any) =>
  body.items.map(({ key, name, cost }: Record<string, unknown>) => [key, name, cost]);

test('of no calls there is nothing', async () => {
  const { status, body } = await ask('by=model');
  const none = { calls: 0, cost: 0, settled: 0, estimated: 0, unknown: 0, reserved: 0 };
  expect([status, body]).toEqual([
    200,
    { items: [], omitted: 0, total: { ...none, prompt_tokens: 0, completion_tokens: 0 } },
  ]);
});

test('what is settled, estimated, unknown and reserved is shown apart', async () => {
  await call();
  await call({ state: 'estimated', cost: '0.000000000001' });
  await call({ state: 'unknown', cost: '0.25', promptTokens: null, completionTokens: null });
  await call({ state: 'reserved', cost: '2', promptTokens: null, completionTokens: null });
  await call({ state: 'released', cost: '0' });
  const { body } = await ask('by=model');
  const sums = {
    ...{ calls: 5, cost: 2.750000000001, settled: 0.5, estimated: 1e-12, unknown: 0.25 },
    ...{ reserved: 2, prompt_tokens: 30, completion_tokens: 60 },
  };
  expect(body).toEqual({
    items: [{ key: 'gpt-4o', name: 'openai', ...sums }],
    omitted: 0,
    total: sums,
  });
});

test('by model and by day, the dearest first, the rest counted', async () => {
  await call({ cost: '0.1' });
  await call({ model: 'claude-opus-4-1', provider: 'anthropic', cost: '3', date: dayBefore(2) });
  await call({ model: 'gemini-2.5-pro', provider: 'google', cost: '2' });
  const { body } = await ask('by=model&limit=2');
  expect(shortOf(body)).toEqual([
    ['claude-opus-4-1', 'anthropic', 3],
    ['gemini-2.5-pro', 'google', 2],
  ]);
  expect([body.omitted, body.total.cost]).toEqual([1, 5.1]);
  expect(shortOf((await ask('by=day')).body)).toEqual([
    [dayBefore(2), null, 3],
    [dayBefore(0), null, 2.1],
  ]);
  expect(shortOf((await ask('by=day&days=1')).body)).toEqual([[dayBefore(0), null, 2.1]]);
});

test('by template, conversation and run', async () => {
  const { body: template } = await api.send('POST', '/templates', {
    token: person.token,
    body: { name: 'Weekly', graph_data: {}, design_data: {} },
  });
  const conversationId = await createTestConversation(api.db, person.id);
  const [first, second] = [await run({ templateId: template.id }), await run({ conversationId })];
  await call({ pipelineId: first, cost: '1' });
  await call({ pipelineId: second, conversationId, cost: '2' });
  await call({ conversationId, cost: '4' });
  expect(shortOf((await ask('by=template')).body)).toEqual([
    [null, null, 6],
    [template.id, 'Weekly', 1],
  ]);
  expect(shortOf((await ask('by=conversation')).body)).toEqual([
    [conversationId, 'Test', 6],
    [null, null, 1],
  ]);
  expect(shortOf((await ask(`by=run&conversation_id=${conversationId}`)).body)).toEqual([
    [null, null, 4],
    [second, 'Reader', 2],
  ]);
  expect(shortOf((await ask(`by=model&template_id=${template.id}`)).body)).toEqual([
    ['gpt-4o', 'openai', 1],
  ]);
});

test('by node of a run, its repairs included, however long ago', async () => {
  const pipelineId = await run();
  const old = { pipelineId, date: dayBefore(400) };
  await call({ ...old, stepId: `${pipelineId}:reader:0` });
  await call({ ...old, stepId: `${pipelineId}:reader:1` });
  await call({ ...old, stepId: `${pipelineId}:a:b:7:0`, cost: '0.25' });
  const { body } = await ask(`by=node&pipeline_id=${pipelineId}`);
  expect(shortOf(body)).toEqual([
    ['reader', null, 1],
    ['a:b:7', null, 0.25],
  ]);
});

test('others see none of it', async () => {
  const pipelineId = await run();
  await call({ pipelineId });
  const { token } = await api.register();
  for (const query of ['by=run', `by=node&pipeline_id=${pipelineId}`]) {
    expect((await ask(query, token)).body).toMatchObject({ items: [], total: { calls: 0 } });
  }
});

test.each([
  ['', 'by'],
  ['by=colour', 'by'],
  ['by=node', 'pipeline_id'],
  ['by=model&days=0', 'days'],
  ['by=model&days=367', 'days'],
  ['by=model&limit=201', 'limit'],
  ['by=model&template_id=x', 'template_id'],
])('?%s is 422', async (query, field) => {
  const { status, body } = await ask(query);
  expect([status, body.detail[0].field]).toEqual([422, `query.${field}`]);
});
