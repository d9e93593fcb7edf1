import { createHash } from 'node:crypto';
import { html } from '../../api/http/docs/html.js';
import { viewDocs } from '../../api/http/docs/page.js';
import { VERSION } from '../../domain/version.js';
import { startApiServer, type ApiServer } from '../support/api-server.js';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer();
});
afterAll(() => api.close());

const open = async () => {
  const response = await api.request('/docs');
  return { response, text: await response.text() };
};

test('/docs is a page, open to everybody', async () => {
  const { response, text } = await open();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(text).toMatch(/^<!doctype html>/i);
  expect(text).toContain('lang="en"');
});

test('it loads nothing: no script, no address but our own, and its policy says so', async () => {
  const { response, text } = await open();
  expect(text).not.toMatch(/<(script|link|img|iframe|object|embed|form|base)\b/i);
  expect(text).not.toMatch(/\son\w+=|javascript:|@import|url\(|\bsrc=|\bstyle="/i);
  const addresses = [...text.matchAll(/href="([^"]*)"/g)].map(([, address]) => address ?? '');
  expect(addresses.filter((address) => !address.startsWith('#'))).toEqual(['openapi.json']);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|http|\*|script-src/);
});

test('the policy allows the very style that is in the page', async () => {
  const { response, text } = await open();
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(text) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  expect(response.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
});

test('every operation of the description is on it, and every link leads somewhere', async () => {
  const { text } = await open();
  const { paths, components } = (await (await api.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
    components: { schemas: Record<string, unknown> };
  };
  const shown = [...text.matchAll(/class="method">(\w+)<\/span>\s*<span class="path">([^<]*)</g)];
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(shown.map(([, method, path]) => `${method} ${path}`).sort()).toEqual(operations.sort());
  for (const name of Object.keys(components.schemas)) {
    expect(text).toContain(`id="schema-${name}"`);
  }
  const targets = new Set([...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id));
  for (const [, anchor] of text.matchAll(/href="#([^"]*)"/g)) {
    expect(targets).toContain(anchor);
  }
});

test('it shows the release, code as code, every event of the chat, and how to wait for no run', async () => {
  const { text } = await open();
  expect(text).toContain(`API <span class="dim">${VERSION}</span>`);
  expect(text).not.toContain('`');
  expect(text).toContain('ask at <code>Location</code>');
  expect(text).toContain('<code>respond-async</code>: answer 202 at once');
  for (const type of ['clarification', 'designs_presented', 'pipeline_result', 'agent_delta']) {
    expect(text).toContain(`<code>${type}</code>`);
  }
});

test('types, limits and defaults are explained in words', async () => {
  const { text } = await open();
  expect(text).toContain('text, 1–255 characters');
  expect(text).toContain('<code>&quot;free&quot;</code> or <code>&quot;pro&quot;</code>');
  expect(text).toMatch(/list of\s+<a href="#schema-AgentInput">AgentInput<\/a>/);
  expect(text).toMatch(/whole number, 1–16384/);
  expect(text).toContain('text/plain');
});

test('what the description says is never taken for HTML', () => {
  expect(html`<p title="${'"><b>'}">${'<script>'}${[html`<i>${"&'"}</i>`]}</p>`.html).toBe(
    '<p title="&quot;&gt;&lt;b&gt;">&lt;script&gt;<i>&amp;&#39;</i></p>',
  );
  const page = viewDocs({
    info: { title: '<script>', version: '1', description: '<b>' },
    paths: {},
    components: { schemas: {} },
  });
  expect(page).not.toMatch(/<script>|<b>/);
});
