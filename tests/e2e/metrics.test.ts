/** The metrics pages of all processes after one eventful hour; their labels are bounded. */
import { VENDORS } from '../../domain/agents/models.js';
import { register, type Person } from '../support/person.js';
import { until } from '../support/until.js';
import {
  metricOf,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

let fixture: VendorProduct;
let person: Person;
beforeAll(async () => {
  fixture = await startVendorProduct({ workers: 2, env: { SIMULATED_MODELS: 'false' } });
  person = await register(fixture.product.url);
  await registerKeys(person, ['openai', 'anthropic']);
});
afterAll(() => fixture.close());

/** Of all workers together. */
async function sumOf(name: string, labels: Readonly<Record<string, string>> = {}) {
  const { workers } = fixture.product;
  const values = await Promise.all(workers.map((worker) => metricOf(worker, name, labels)));
  return values.reduce((sum, value) => sum + value, 0);
}

function run(name: string, more: object = {}) {
  const agent = { name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` };
  const design = { name, description: name, agents: [{ ...agent, ...more }] };
  return person.ask('POST', '/pipelines/execute', { design });
}

test('errors, failovers and retries of models are counted by vendor', async () => {
  let calls = 0;
  fixture.vendors.setBehaviour(() => {
    calls += 1;
    return calls <= 2 ? { kind: 'status', status: 500 } : undefined;
  });
  const { body } = await run('again', { retry_count: 2 });
  fixture.vendors.setBehaviour();
  expect(body.status).toBe('completed');
  const code = 'model-unavailable';
  expect(await sumOf('llm_errors_total', { provider: 'openai', code })).toBe(1);
  expect(await sumOf('llm_errors_total', { provider: 'anthropic', code })).toBe(1);
  expect(await sumOf('llm_fallbacks_total', { from: 'openai', to: 'anthropic' })).toBe(1);
  expect(await sumOf('llm_retries_total', { provider: 'openai' })).toBe(1);
  expect(await sumOf('llm_requests_total', { provider: 'openai' })).toBe(1);
  const ended = { status: 'completed' };
  await until('its end is counted', async () => {
    return (await sumOf('pipeline_executions_total', ended)) === 1;
  });
});

test('a call that the budget refuses is counted', async () => {
  const dear = { promptTokens: 10, completionTokens: 2_000_000 }; // $1.20: more than a day has
  fixture.vendors.setBehaviour({ kind: 'answer', usage: dear });
  const chain = [1, 2].map((number) => ({
    name: `n${number}`,
    role: 'analyzer',
    llm_model: 'gpt-4o-mini',
    description: 'dear',
  }));
  const spender = await register(fixture.product.url);
  await registerKeys(spender, ['openai']);
  const design = { name: 'dear', description: 'dear', agents: chain };
  await spender.ask('POST', '/pipelines/execute', { design });
  fixture.vendors.setBehaviour();
  expect(await sumOf('llm_budget_refusals_total')).toBe(1);
  expect(await sumOf('llm_errors_total', { code: 'over-budget' })).toBe(0);
});

test('every worker shows how many runs and discussions are active in the whole product', async () => {
  const pages = (name: string, labels = {}) =>
    Promise.all(fixture.product.workers.map((worker) => metricOf(worker, name, labels)));
  const before = await pages('discussions_active');
  const hold = Promise.withResolvers<null>();
  fixture.vendors.setBehaviour({ kind: 'answer', hold: hold.promise });
  const running = run('slow');
  await until('a call is held', () => fixture.vendors.calls.some(({ status }) => status === null));
  expect(await pages('pipelines_active', { status: 'running' })).toEqual([1, 1]);
  expect(await sumOf('activities_running', { activity: 'runAgent' })).toBe(1);
  hold.resolve(null);
  await running;
  await until('none is active', async () =>
    (await pages('pipelines_active')).every((count) => count === 0),
  );
  // its archive is made after it has ended
  await until('all activities have ended', async () => (await sumOf('activities_running')) === 0);
  fixture.vendors.setBehaviour();
  const chat = await person.chat(await person.startConversation());
  await chat.say('help me');
  await until('both workers see the discussion', async () => {
    const now = await pages('discussions_active');
    return now.every((count, index) => count > (before[index] ?? 0));
  });
  await chat.close();
});

const CONTRACT = {
  http_requests_total: 'counter',
  http_request_duration_seconds: 'histogram',
  llm_requests_total: 'counter',
  llm_tokens_total: 'counter',
  llm_cost_dollars_total: 'counter',
  llm_request_duration_seconds: 'histogram',
  pipeline_executions_total: 'counter',
  pipeline_duration_seconds: 'histogram',
  websocket_connections_active: 'gauge',
};

test('every metric of the contract is on the API’s page, which includes a worker’s', async () => {
  const [ready] = await Promise.all(fixture.product.workers.map((one) => one.sees('worker ready')));
  const WORKER_METRICS_URL = `http://127.0.0.1:${String(ready?.['metricsPort'])}/metrics`;
  const { url } = await fixture.product.startApi({ WORKER_METRICS_URL });
  await person.at(url).ask('GET', '/auth/me');
  const page = await (await fetch(`${url}/metrics`)).text();
  for (const [name, kind] of Object.entries(CONTRACT)) {
    expect(page).toContain(`# TYPE ${name} ${kind}\n`);
  }
});

test('the API shows them to other machines on a port of its own', async () => {
  const api = await fixture.product.startApi({ METRICS_PORT: '0' });
  const { metricsPort } = await api.sees('api ready');
  const page = await (await fetch(`http://127.0.0.1:${String(metricsPort)}/metrics`)).text();
  expect(page).toContain('# TYPE http_requests_total counter');
  const proxied = await fetch(`${api.url}/metrics`, {
    headers: { 'X-Forwarded-For': '127.0.0.1' },
  });
  expect(proxied.status).toBe(403);
  expect(await api.stop()).toBe(0);
});

test('open sockets are counted, up and down', async () => {
  const { url } = fixture.product;
  const open = async () =>
    /^websocket_connections_active (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
  expect(await open()).toBe('0');
  const id = await person.startConversation();
  const chats = [await person.chat(id), await person.chat(id)];
  await until('two are counted', async () => (await open()) === '2');
  await chats[0]?.close();
  await until('one is counted', async () => (await open()) === '1');
  await chats[1]?.close();
  await until('none is counted', async () => (await open()) === '0');
});

test('queue latency is measured by kind of activity', async () => {
  expect(await sumOf('activity_queue_seconds_count', { activity: 'runAgent' })).toBeGreaterThan(3);
});

test('labels are bounded: names of our own, no id, no text of a user’s', async () => {
  const ports = await Promise.all(
    fixture.product.workers.map(async (one) => (await one.sees('worker ready'))['metricsPort']),
  );
  const addresses = [
    ...ports.map((port) => `http://127.0.0.1:${String(port)}`),
    fixture.product.url,
  ];
  const pages = await Promise.all(
    addresses.map(async (address) => (await fetch(`${address}/metrics`)).text()),
  );
  const page = pages.join('\n');
  const values = new Map<string, Set<string>>();
  for (const [, label = '', value = ''] of page.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    values.set(label, (values.get(label) ?? new Set()).add(value));
  }
  const seen = (label: string) => [...(values.get(label) ?? [])];
  expect([...VENDORS, 'endpoint', 'simulated']).toEqual(expect.arrayContaining(seen('provider')));
  expect(seen('code')).toEqual(['model-unavailable']);
  expect(page).not.toContain(person.userId);
  expect(page).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}|does again/);
});
