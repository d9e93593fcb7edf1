import { randomUUID } from 'node:crypto';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const ask = (path: string) => api.send('GET', `/stats/${path}`, { token: person.token });
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
const dayOf = (date: Date) => date.toISOString().slice(0, 10);

async function spend(userId: string, days: number, totalCost: string): Promise<void> {
  const row = { userId, date: dayOf(daysAgo(days)), totalCost };
  await api.db.insertInto('userDailyCosts').values(row).execute();
}

async function discussionState(
  userId: string,
  messages: readonly { role: 'user' | 'assistant' | 'system'; at: Date }[],
) {
  const conversationId = randomUUID();
  await api.db
    .insertInto('conversations')
    .values({ id: conversationId, userId, title: 't' })
    .execute();
  const rows = messages.map(({ role, at }) => ({
    id: randomUUID(),
    conversationId,
    role,
    content: 'x',
    createdAt: at,
  }));
  await api.db.insertInto('messages').values(rows).execute();
}

async function run(userId: string, fields: { status: 'partial' | 'running'; createdAt: Date }) {
  const id = randomUUID();
  await api.db
    .insertInto('pipelineExecutions')
    .values({
      id,
      userId,
      designName: 'Reader',
      design: '{}',
      language: 'en',
      simulated: true,
      holdsSlot: false,
      agentCount: 3,
      durationSeconds: fields.status === 'partial' ? 1.25 : null,
      ...fields,
    })
    .execute();
  return id;
}

test('usage is by day, ascending, with cost, messages or both', async () => {
  const stranger = await api.register();
  await spend(person.id, 2, '0.25');
  await spend(person.id, 31, '9');
  await spend(stranger.id, 1, '7');
  await discussionState(person.id, [
    { role: 'user', at: daysAgo(2) },
    { role: 'user', at: daysAgo(2) },
    { role: 'assistant', at: daysAgo(2) },
    { role: 'user', at: daysAgo(1) },
  ]);
  const { status, body } = await ask('usage-history');
  expect([status, body]).toEqual([
    200,
    [
      { date: dayOf(daysAgo(2)), cost: 0.25, request_count: 2 },
      { date: dayOf(daysAgo(1)), cost: 0, request_count: 1 },
    ],
  ]);
});

test('what no vendor has stated is shown apart, by its kind', async () => {
  await spend(person.id, 3, '0.75');
  const call = (state: 'settled' | 'estimated' | 'unknown', cost: string) => ({
    ...{ id: randomUUID(), stepId: randomUUID(), runId: 'r', attempt: 1, callNumber: 1 },
    ...{ userId: person.id, date: dayOf(daysAgo(3)), provider: 'openai' as const, model: 'm' },
    ...{ state, cost, reserved: cost, inputUsdPerMillion: '1', outputUsdPerMillion: '1' },
    maxTokens: 1,
  });
  await api.db
    .insertInto('costLedger')
    .values([call('settled', '0.4'), call('estimated', '0.25'), call('unknown', '0.1')])
    .execute();
  const day = { date: dayOf(daysAgo(3)), cost: 0.75, estimated_cost: 0.25, unknown_cost: 0.1 };
  expect((await ask('usage-history')).body).toEqual([{ ...day, request_count: 0 }]);
});

test('usage reaches back exactly as many days as asked, today and the first one included', async () => {
  await spend(person.id, 0, '0.1');
  await spend(person.id, 7, '0.2');
  await spend(person.id, 8, '0.4');
  const { body } = await ask('usage-history?days=7');
  expect(body.map((day: { cost: number }) => day.cost)).toEqual([0.2, 0.1]);
});

test('runs are shown newest first, with every status of ours, up to the limit', async () => {
  const older = await run(person.id, { status: 'partial', createdAt: daysAgo(1) });
  const newer = await run(person.id, { status: 'running', createdAt: daysAgo(0) });
  await run((await api.register()).id, { status: 'partial', createdAt: daysAgo(0) });
  const { status, body } = await ask('pipeline-history');
  expect(status).toBe(200);
  expect(body).toEqual([
    {
      id: newer,
      design_name: 'Reader',
      status: 'running',
      duration_seconds: null,
      agent_count: 3,
      created_at: expect.stringMatching(/Z$/),
    },
    expect.objectContaining({ id: older, status: 'partial', duration_seconds: 1.25 }),
  ]);
  expect((await ask('pipeline-history?limit=1')).body).toHaveLength(1);
});

test('as many runs as asked are shown, 20 unless asked', async () => {
  for (let count = 0; count < 22; count += 1) {
    await run(person.id, { status: 'partial', createdAt: daysAgo(count) });
  }
  expect((await ask('pipeline-history')).body).toHaveLength(20);
  expect((await ask('pipeline-history?limit=100')).body).toHaveLength(22);
});

test('usage reaches back 30 days unless asked, and 90 at most', async () => {
  await spend(person.id, 30, '0.1');
  await spend(person.id, 31, '0.2');
  await spend(person.id, 90, '0.4');
  await spend(person.id, 91, '0.8');
  const costs = async (path: string) =>
    (await ask(path)).body.map((day: { cost: number }) => day.cost);
  expect(await costs('usage-history')).toEqual([0.1]);
  expect(await costs('usage-history?days=90')).toEqual([0.4, 0.2, 0.1]);
  expect(await costs('usage-history?days=1')).toEqual([]);
});

test('the summary counts own rows only', async () => {
  const stranger = await api.register();
  await discussionState(person.id, [
    { role: 'user', at: daysAgo(0) },
    { role: 'assistant', at: daysAgo(0) },
    { role: 'system', at: daysAgo(0) },
  ]);
  await discussionState(stranger.id, [{ role: 'user', at: daysAgo(0) }]);
  await run(person.id, { status: 'partial', createdAt: daysAgo(0) });
  const template = { name: 'T', graph_data: {}, design_data: {} };
  await api.send('POST', '/templates', { token: person.token, body: template });
  const { status, body } = await ask('summary');
  expect([status, body]).toEqual([
    200,
    { total_conversations: 1, total_messages: 3, total_templates: 1, total_pipelines: 1 },
  ]);
});

test.each([
  ['usage-history?days=0', 'query.days', 'Input should be greater than or equal to 1'],
  ['usage-history?days=91', 'query.days', 'Input should be less than or equal to 90'],
  [
    'usage-history?days=x',
    'query.days',
    'Input should be a valid integer, unable to parse string as an integer',
  ],
  ['pipeline-history?limit=0', 'query.limit', 'Input should be greater than or equal to 1'],
  ['pipeline-history?limit=101', 'query.limit', 'Input should be less than or equal to 100'],
])('%s is 422', async (path, field, msg) => {
  const { status, body } = await ask(path);
  expect([status, body]).toEqual([422, { detail: [{ field, msg }] }]);
});

test.each(['usage-history', 'pipeline-history', 'summary'])('%s needs a user', async (path) => {
  expect((await api.send('GET', `/stats/${path}`)).status).toBe(401);
});
