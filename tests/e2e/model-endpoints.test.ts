/** Servers of users and administrators: registered, checked, asked in a chat and in a run, refused, deleted. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { sql } from 'kysely';
import { register, type Person } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import {
  COMPATIBLE_KINDS,
  startCompatible,
  type CompatibleKind,
  type CompatibleServer,
} from '../support/vendors/compatible.js';

const REQUEST = 'Compare three podcast apps by price and write a report';
const PRICE = { input_usd_per_million: '0.12', output_usd_per_million: '0.30' };

const KEYS: Readonly<Record<CompatibleKind, string | null>> = {
  ollama: null,
  vllm: 'vllm-key',
  lmstudio: null,
  openrouter: 'sk-or-v1-key',
  azure: 'azure-key',
};
const MODELS: Readonly<Record<CompatibleKind, string>> = {
  ollama: 'llama3.2:3b',
  vllm: 'Qwen/Qwen3-8B',
  lmstudio: 'openai/gpt-oss-20b',
  openrouter: 'meta-llama/llama-3.3-70b-instruct',
  azure: 'my-deployment',
};
const QUIRKS: Readonly<Record<CompatibleKind, object>> = {
  ollama: { structured_output: 'json_schema', streaming: 'with-usage', output_cap: 'max_tokens' },
  vllm: { structured_output: 'json_schema', states_usage: true },
  lmstudio: { structured_output: 'json_schema', states_usage: false },
  openrouter: { structured_output: null, streaming: 'with-usage', states_usage: true },
  azure: { output_cap: 'max_completion_tokens', temperature: false, states_usage: true },
};

let product: Product;
let redirecting: Server;
const servers = new Map<CompatibleKind, CompatibleServer>();
beforeAll(async () => {
  for (const kind of COMPATIBLE_KINDS) {
    servers.set(kind, await startCompatible(kind));
  }
  redirecting = createServer((_, response) => {
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data' }).end();
  });
  redirecting.listen(0, '127.0.0.1');
  await once(redirecting, 'listening');
  product = await startProduct({
    env: { MODEL_ENDPOINT_ALLOW_ADDRESSES: '127.0.0.1', SIMULATED_MODELS: 'true' },
  });
});
afterAll(async () => {
  await product.stop();
  redirecting.close();
  for (const server of servers.values()) {
    await server.close();
  }
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

function bodyOf(kind: CompatibleKind, change: object = {}) {
  return {
    name: kind,
    base_url: servers.get(kind)?.url,
    api_key: KEYS[kind],
    models: [{ id: MODELS[kind], price: kind === 'openrouter' ? PRICE : 'free' }],
    ...change,
  };
}

const designOf = (llm_model: string) => ({
  name: 'One',
  description: 'one step',
  agents: [{ name: 'writer', role: 'reporter', llm_model, description: 'writes', retry_count: 1 }],
});

async function callsOf({ userId }: Person) {
  return product.db
    .selectFrom('costLedger')
    .select(['provider', 'model', 'state', 'isServerKey', sql<number>`cost::float`.as('cost')])
    .where('userId', '=', userId)
    .orderBy('createdAt')
    .execute();
}

test.each(COMPATIBLE_KINDS)('%s: a check, a chat and a run', async (kind) => {
  const person = await register(product.url);
  const stored = await person.ask('POST', '/model-endpoints', bodyOf(kind));
  expect(stored).toMatchObject({
    status: 201,
    body: { name: kind, is_valid: true, problem: null, has_key: KEYS[kind] !== null },
  });
  expect(stored.body.quirks).toMatchObject(QUIRKS[kind]);
  const model = `${kind}/${MODELS[kind]}`;
  expect(stored.body.models[0].llm_model).toBe(model);

  const chat = await person.chat(await person.startConversation());
  const presented = await chat.say(REQUEST);
  expect(presented).toMatchObject({ type: 'designs_presented', state: 'debate' });
  expect(presented['designs'].map(({ name }: any) => name)).toContain('Quality First');
  await chat.close();
  const prompts = servers.get(kind)?.answered.map(({ messages }) => JSON.stringify(messages));
  expect(prompts?.join('\n')).toContain(`Known models: ${model}`);

  const run = await person.ask('POST', '/pipelines/execute', { design: designOf(model) });
  expect(run.body).toMatchObject({
    status: 'completed',
    result: { agent_results: [{ provider: 'endpoint', model, fallback_from: null }] },
  });
  const calls = await callsOf(person);
  const isPriced = kind === 'openrouter';
  const state = kind === 'lmstudio' ? /settled|estimated/ : /settled/;
  for (const call of calls) {
    expect(call).toMatchObject({ provider: 'endpoint', model, isServerKey: false });
    expect(call.state).toMatch(state);
    expect(call.cost > 0).toBe(isPriced);
  }
  expect(calls.length).toBe(3); // intent, designs, and the agent
});

test('a model of an endpoint that the user does not have is asked of no other', async () => {
  const [owner, stranger] = [await register(product.url), await register(product.url)];
  await owner.ask('POST', '/model-endpoints', bodyOf('ollama'));
  await stranger.ask('POST', '/model-endpoints', bodyOf('lmstudio', { name: 'mine' }));
  const asked = servers.get('lmstudio')?.answered.length;
  const run = await stranger.ask('POST', '/pipelines/execute', {
    design: designOf(`ollama/${MODELS.ollama}`),
  });
  expect(run.body).toMatchObject({ status: 'failed' });
  expect(JSON.stringify(run.body)).toContain('no known price');
  expect(servers.get('lmstudio')?.answered).toHaveLength(asked ?? -1);
});

test('an endpoint of somebody else cannot be told from a missing one', async () => {
  const [owner, stranger] = [await register(product.url), await register(product.url)];
  const { body } = await owner.ask('POST', '/model-endpoints', bodyOf('ollama'));
  for (const id of [body.id, '00000000-0000-4000-8000-000000000000']) {
    for (const [method, path] of [
      ['DELETE', `/model-endpoints/${id}`],
      ['POST', `/model-endpoints/${id}/check`],
    ] as const) {
      const answer = await stranger.ask(method, path);
      expect([answer.status, answer.body.detail]).toEqual([404, 'Model endpoint not found']);
    }
  }
  expect((await stranger.ask('GET', '/model-endpoints')).body).toEqual([]);
  expect((await owner.ask('DELETE', `/model-endpoints/${body.id}`)).status).toBe(204);
  expect((await owner.ask('GET', '/model-endpoints')).body).toEqual([]);
});

test('an administrator registers one for all, which leaves a line in the log', async () => {
  const admin = await register(product.url);
  const user = await register(product.url);
  const shared = bodyOf('vllm', { name: 'house', shared: true });
  expect((await user.ask('POST', '/model-endpoints', shared)).status).toBe(403);
  await product.db
    .updateTable('users')
    .set({ role: 'admin' })
    .where('id', '=', admin.userId)
    .execute();
  const stored = await admin.ask('POST', '/model-endpoints', shared);
  expect(stored).toMatchObject({ status: 201, body: { shared: true, is_valid: true } });
  const seen = await user.ask('GET', '/model-endpoints');
  expect(seen.body).toMatchObject([{ name: 'house', base_url: null, shared: true }]);
  expect((await user.ask('DELETE', `/model-endpoints/${stored.body.id}`)).status).toBe(404);
  const design = designOf(`house/${MODELS.vllm}`);
  const run = await user.ask('POST', '/pipelines/execute', { design });
  expect(run.body).toMatchObject({ status: 'completed' });
  expect(await callsOf(user)).toMatchObject([{ isServerKey: true, state: 'settled' }]);
  expect((await admin.ask('DELETE', `/model-endpoints/${stored.body.id}`)).status).toBe(204);
  const actions = await product.db
    .selectFrom('adminActions')
    .select(['action', 'subject', 'details'])
    .where('actorId', '=', admin.userId)
    .orderBy('id')
    .execute();
  expect(actions).toMatchObject([
    {
      action: 'endpoint:share',
      subject: `endpoint:${stored.body.id}`,
      details: { what: 'registered' },
    },
    { action: 'endpoint:share', details: { what: 'deleted' } },
  ]);
});

test.each([
  ['a private address', 'http://10.1.2.3:11434/v1'],
  ['an address of this machine in other spelling', 'http://[::ffff:7f00:2]/v1'],
  ['the metadata service', 'http://169.254.169.254/v1'],
  ['a name of the internal network', 'http://models.internal/v1'],
])('%s is refused, with the reason', async (_what, base_url) => {
  const person = await register(product.url);
  const answer = await person.ask('POST', '/model-endpoints', bodyOf('ollama', { base_url }));
  expect(answer.status).toBe(400);
  expect(answer.body.detail).toContain('the address is private');
  expect(answer.body.detail).toContain('MODEL_ENDPOINT_ALLOW_ADDRESSES');
});

test('one that redirects to a private address is refused, with the reason', async () => {
  const person = await register(product.url);
  const base_url = `http://127.0.0.1:${portOf(redirecting)}/v1`;
  const answer = await person.ask('POST', '/model-endpoints', bodyOf('ollama', { base_url }));
  expect(answer).toMatchObject({
    status: 201,
    body: {
      is_valid: false,
      problem: 'the endpoint redirects to another address, which is not followed',
    },
  });
});

test.each([
  ['a key that it does not accept', { api_key: 'wrong' }, /refused the key/],
  ['no server at all', { base_url: 'http://127.0.0.1:9/v1' }, /could not be reached/],
])('%s is a problem of the endpoint', async (_what, change, problem) => {
  const person = await register(product.url);
  const { body } = await person.ask('POST', '/model-endpoints', bodyOf('vllm', change));
  expect(body).toMatchObject({ is_valid: false });
  expect(body.problem).toMatch(problem);
});

test('names are unique for their owner, and its key is nowhere to be read', async () => {
  const person = await register(product.url);
  const first = await person.ask('POST', '/model-endpoints', bodyOf('vllm'));
  expect(JSON.stringify(first.body)).not.toContain(KEYS.vllm);
  expect((await person.ask('POST', '/model-endpoints', bodyOf('vllm'))).status).toBe(409);
  const { rows } = await sql<{ text: string }>`
    select row_to_json(model_endpoints)::text as text from model_endpoints`.execute(product.db);
  expect(rows.map(({ text }) => text).join()).not.toContain(KEYS.vllm);
});
