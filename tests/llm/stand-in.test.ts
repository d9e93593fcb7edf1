import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

let vendors: StandInVendors;

beforeAll(async () => {
  vendors = await startStandInVendors();
});
afterAll(() => vendors.close());

async function post(url: string, body: unknown, headers: Record<string, string>) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as { error?: unknown } };
}

const OPENAI = { authorization: 'Bearer sk-good' };
const ANTHROPIC = { 'x-api-key': 'sk-good', 'anthropic-version': '2023-06-01' };
const GOOGLE = { 'x-goog-api-key': 'AIza-good' };
const message = { role: 'user', content: 'hi' };

test.each([
  ['an unknown field', { model: 'gpt-4o', messages: [message], max_tokens: 5, surprise: 1 }],
  [
    'both token limits',
    { model: 'a', messages: [message], max_tokens: 5, max_completion_tokens: 5 },
  ],
  ['no message', { model: 'gpt-4o', messages: [], max_tokens: 5 }],
  ['a temperature above 2', { model: 'a', messages: [message], max_tokens: 5, temperature: 3 }],
])('as OpenAI it refuses %s', async (_what, body) => {
  const answer = await post(`${vendors.openAiUrl}/chat/completions`, body, OPENAI);
  expect(answer.status).toBe(400);
  expect(answer.body.error).toHaveProperty('message');
});

test('as Anthropic it refuses a system message, a temperature above 1 and a missing version', async () => {
  const url = `${vendors.anthropicUrl}/v1/messages`;
  const good = { model: 'claude-opus-4-6', max_tokens: 5, messages: [message] };
  const system = { ...good, messages: [{ role: 'system', content: 'x' }] };
  expect((await post(url, good, ANTHROPIC)).status).toBe(200);
  expect((await post(url, system, ANTHROPIC)).status).toBe(400);
  expect((await post(url, { ...good, temperature: 1.5 }, ANTHROPIC)).status).toBe(400);
  expect((await post(url, good, { 'x-api-key': 'sk-good' })).status).toBe(400);
  expect((await post(url, good, { 'anthropic-version': '2023-06-01' })).status).toBe(401);
});

test('as Google it refuses an assistant and an open schema', async () => {
  const url = `${vendors.googleUrl}/v1beta/models/gemini-2.5-pro:generateContent`;
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] }];
  const generationConfig = { maxOutputTokens: 5, temperature: 1 };
  const responseSchema = { type: 'object', additionalProperties: false };
  const open = { ...generationConfig, responseMimeType: 'application/json', responseSchema };
  const assistant = [{ role: 'assistant', parts: [{ text: 'hi' }] }];
  expect((await post(url, { contents, generationConfig }, GOOGLE)).status).toBe(200);
  expect((await post(url, { contents, generationConfig: open }, GOOGLE)).status).toBe(400);
  expect((await post(url, { contents: assistant, generationConfig }, GOOGLE)).status).toBe(400);
});

test('it runs as a process of its own', async () => {
  const child = spawn(process.execPath, ['tests/support/vendors/main.mjs'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => JSON.parse((await lines.next()).value ?? '') as Record<string, unknown>;
  const { openAiUrl } = await read();
  child.stdin.write(`${JSON.stringify({ kind: 'answer', text: 'from a child' })}\n`);
  await read();
  const body = { model: 'gpt-4o', messages: [message], max_tokens: 5 };
  const answer = await post(`${String(openAiUrl)}/chat/completions`, body, OPENAI);
  expect(JSON.stringify(answer.body)).toContain('from a child');
  child.stdin.write('"calls"\n');
  expect(await read()).toMatchObject([{ vendor: 'openai', key: 'sk-good' }]);
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
