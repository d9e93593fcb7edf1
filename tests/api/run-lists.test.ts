/** A user's runs, and what they wait for, page by page. */
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

const ask = (path: string, token = person.token) => api.send('GET', path, { token });
const NOW = Date.now();
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000);

interface Run {
  readonly status: 'completed' | 'failed' | 'running';
  readonly createdAt: Date;
  readonly templateId?: string;
  readonly totalCost?: string;
}

async function run(userId: string, fields: Run): Promise<string> {
  const id = randomUUID();
  await api.db
    .insertInto('pipelineExecutions')
    .values({
      ...{ id, userId, designName: 'Reader', design: '{}', language: 'en', simulated: true },
      ...{ holdsSlot: false, agentCount: 3, ...fields },
    })
    .execute();
  return id;
}

async function approval(pipelineId: string, node: string, requestedAt: Date): Promise<void> {
  await api.db
    .insertInto('approvals')
    .values({
      ...{ pipelineId, node, agentName: `The ${node}`, input: 'x'.repeat(2_000), requestedAt },
      ...{ deadline: new Date(NOW + 60_000), onTimeout: 'reject' },
    })
    .execute();
}

async function allPages(path: string): Promise<readonly any[]> {
  const items: unknown[] = [];
  let next: string | null = '';
  while (next !== null) {
    const after = next === '' ? '' : `&after=${encodeURIComponent(next)}`;
    const page: { status: number; body: any } = await ask(`${path}${after}`);
    expect(page.status).toBe(200);
    items.push(...page.body.items);
    ({ next } = page.body);
  }
  return items;
}

test('own runs come newest first, each once, over pages', async () => {
  const ids: string[] = [];
  for (const minutes of [5, 4, 4, 3, 1]) {
    ids.unshift(await run(person.id, { status: 'completed', createdAt: minutesAgo(minutes) }));
  }
  await run((await api.register()).id, { status: 'completed', createdAt: minutesAgo(2) });
  const items = await allPages('/pipelines?limit=2');
  expect(items.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  const times = items.map(({ created_at: at }) => at);
  expect(times).toEqual(times.toSorted().toReversed());
  expect(items[0]).toEqual({
    ...{ id: ids[0], design_name: 'Reader', status: 'completed', waiting_for: null },
    ...{ template_id: null, conversation_id: null, rerun_of: null, simulated: true },
    ...{ agent_count: 3, total_cost: 0, duration_seconds: null, ended_at: null },
    created_at: minutesAgo(1).toISOString(),
  });
});

test('runs are filtered by status, template, model, time and cost', async () => {
  const templateId = randomUUID();
  const cheap = await run(person.id, { status: 'failed', createdAt: minutesAgo(3) });
  const dear = await run(person.id, {
    ...{ status: 'completed', createdAt: minutesAgo(2), templateId, totalCost: '0.25' },
  });
  const open = await run(person.id, { status: 'running', createdAt: minutesAgo(1) });
  await api.db
    .insertInto('costLedger')
    .values({
      ...{ id: randomUUID(), stepId: `${dear}:a`, runId: randomUUID(), attempt: 1, callNumber: 1 },
      ...{ userId: person.id, pipelineId: dear, date: '2026-11-22', provider: 'openai' },
      ...{ model: 'gpt-4o', state: 'settled', cost: '0.25', reserved: '0.25', maxTokens: 1 },
      ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', createdAt: new Date() },
    })
    .execute();
  const found = async (query: string) =>
    (await allPages(`/pipelines?${query}`)).map(({ id }) => id);
  expect(await found('status=failed')).toEqual([cheap]);
  expect(await found('status=failed&status=running')).toEqual([open, cheap]);
  expect(await found(`template_id=${templateId}`)).toEqual([dear]);
  expect(await found('model=gpt-4o')).toEqual([dear]);
  expect(await found('min_cost=0.25')).toEqual([dear]);
  expect(await found('max_cost=0.1')).toEqual([open, cheap]);
  const [from, to] = [minutesAgo(2).toISOString(), minutesAgo(1).toISOString()];
  expect(await found(`from=${from}&to=${to}`)).toEqual([dear]);
});

test.each([
  ['/pipelines?limit=0', 'limit'],
  ['/pipelines?limit=101', 'limit'],
  ['/pipelines?after=nowhere', 'after'],
  ['/pipelines?status=unknown', 'status'],
  ['/pipelines?template_id=one', 'template_id'],
  ['/pipelines?from=yesterday', 'from'],
  ['/pipelines?min_cost=-1', 'min_cost'],
  ['/approvals?after=1.2.3', 'after'],
  ['/approvals?limit=1000', 'limit'],
])('%s is refused, naming the field', async (path, field) => {
  const { status, body } = await ask(path);
  expect(status).toBe(422);
  expect(body.detail[0].field).toContain(`query.${field}`);
});

test('the inbox holds what waits over all own runs, the longest wait first', async () => {
  const first = await run(person.id, { status: 'running', createdAt: minutesAgo(9) });
  const second = await run(person.id, { status: 'running', createdAt: minutesAgo(8) });
  const ended = await run(person.id, { status: 'completed', createdAt: minutesAgo(7) });
  const others = await run((await api.register()).id, {
    ...{ status: 'running', createdAt: minutesAgo(6) },
  });
  await approval(second, 'b', minutesAgo(4));
  await approval(first, 'a', minutesAgo(5));
  await approval(first, '검토', minutesAgo(5));
  await approval(ended, 'a', minutesAgo(5));
  await approval(others, 'a', minutesAgo(5));
  const items = await allPages('/approvals?limit=1');
  expect(items.map(({ pipeline_id: id, node }) => [id, node])).toEqual([
    [first, 'a'],
    [first, '검토'],
    [second, 'b'],
  ]);
  expect(items[0]).toEqual({
    ...{ pipeline_id: first, design_name: 'Reader', conversation_id: null, node: 'a' },
    ...{ agent_name: 'The a', preview: 'x'.repeat(500), on_timeout: 'reject' },
    requested_at: minutesAgo(5).toISOString(),
    deadline: new Date(NOW + 60_000).toISOString(),
  });
  expect((await ask('/approvals?limit=1')).body.open).toBe(3);
});

test('an inbox without anything is empty', async () => {
  expect((await ask('/approvals')).body).toEqual({ items: [], open: 0, next: null });
});
