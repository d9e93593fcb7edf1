/** Who may ask the collector. */
import { openToAnyoneText } from '../../collector/open-to-anyone.js';
import { request } from 'node:http';
import { startCollectorService, type CollectorService } from '../support/collector-service.js';
import { startPages, type Pages } from '../support/pages.js';
import { createCollector } from '../../activities/node/collector-client.js';

const SECRET = 'a secret of sixteen characters or more'.replaceAll(' ', '-');
const COLLECTIONS = '/api/v1/collections';
const OPEN = ['/api/v1/health', '/readyz', '/metrics'];

let open: CollectorService;
let shut: CollectorService;
let pages: Pages;
beforeAll(async () => {
  [open, shut, pages] = await Promise.all([
    startCollectorService(),
    startCollectorService({ env: { COLLECTOR_SECRET: SECRET } }),
    startPages(),
  ]);
});
afterAll(() => Promise.all([open.close(), shut.close(), pages.close()]));

interface Sent {
  readonly service?: CollectorService;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends what `fetch` would not: any Host, no content type. @returns the status */
async function statusOf({
  service = open,
  method = 'POST',
  path = COLLECTIONS,
  headers = {},
  body = '{"url":null}',
}: Sent): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const asked = request(`${service.baseUrl}${path}`, { method, headers }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  asked.once('error', reject).end(method === 'POST' ? body : undefined);
  return promise;
}

const JSON_TYPE = { 'content-type': 'application/json' };

test.each([
  ['text/plain', { 'content-type': 'text/plain' }],
  ['text/plain that names JSON', { 'content-type': 'text/plain; application/json' }],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['a form of parts', { 'content-type': 'multipart/form-data; boundary=x' }],
  ['no type', {}],
])('a body of %s is 415', async (_, headers) => {
  expect(await statusOf({ headers })).toBe(415);
});

test.each(['application/json', 'application/json; charset=utf-8', 'application/vnd.api+json'])(
  'a body of %s is read',
  async (type) => {
    expect(await statusOf({ headers: { 'content-type': type } })).toBe(201);
  },
);

test.each([
  [{ origin: 'https://evil.example' }],
  [{ origin: 'null' }],
  [{ origin: 'http://127.0.0.1:8000' }],
  [{ 'sec-fetch-site': 'cross-site' }],
  [{ 'sec-fetch-site': 'same-site' }],
])('a page may not ask: %j', async (headers) => {
  expect(await statusOf({ headers: { ...JSON_TYPE, ...headers } })).toBe(403);
  expect(await statusOf({ method: 'GET', path: '/metrics', headers })).toBe(403);
});

test.each([
  'evil.example',
  'evil.example:8001',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '192.168.0.1',
])('on loopback the host %j is not ours', async (host) => {
  for (const [method, path] of [['POST', COLLECTIONS], ...OPEN.map((it) => ['GET', it])] as const) {
    expect(await statusOf({ method, path, headers: { ...JSON_TYPE, host } })).toBe(421);
  }
});

test.each(['localhost', 'localhost:8001', '127.0.0.1:1', '[::1]:8001', 'LOCALHOST'])(
  'the host %j is',
  async (host) => {
    expect(await statusOf({ headers: { ...JSON_TYPE, host } })).toBe(201);
  },
);

describe('where there is a secret', () => {
  test.each([
    {},
    { authorization: SECRET },
    { authorization: 'Bearer wrong' },
    { authorization: `Bearer ${SECRET}x` },
    { authorization: `Basic ${SECRET}` },
  ])('a caller that does not send it is refused: %j', async (headers) => {
    const sent = { service: shut, headers: { ...JSON_TYPE, ...headers } };
    expect(await statusOf(sent)).toBe(401);
    for (const what of ['status', 'compliance', 'data']) {
      expect(await statusOf({ ...sent, method: 'GET', path: `${COLLECTIONS}/x/${what}` })).toBe(
        401,
      );
    }
    expect(await statusOf({ ...sent, path: `${COLLECTIONS}/x/collect` })).toBe(401);
  });

  test.each(OPEN)('%s is open', async (path) => {
    expect(await statusOf({ service: shut, method: 'GET', path })).toBe(200);
  });

  test('a worker that knows it collects, another does not', async () => {
    pages.set('/page', { body: '<p>Some text' });
    const url = `http://a.pages.example:${pages.port}/page`;
    const signal = new AbortController().signal;
    const collectBy = (secret: string | null) =>
      createCollector({ baseUrl: shut.baseUrl, secret }).collect({ url, attempts: 1 }, signal);
    expect(await collectBy(SECRET)).toMatchObject({ kind: 'collected' });
    expect(await collectBy(null)).toMatchObject({
      kind: 'problem',
      problem: { kind: 'status', status: 401 },
    });
  });
});

test.each([
  ['0.0.0.0', null, true],
  ['::', null, true],
  ['10.0.0.7', null, true],
  ['collector', null, true],
  ['0.0.0.0', 'a secret of theirs', false],
  ['127.0.0.1', null, false],
  ['::1', null, false],
  ['localhost', null, false],
])('on %s with secret %j its start warns: %s', (host, secret, warns) => {
  const text = openToAnyoneText({ host, secret });
  expect(text === null).toBe(!warns);
  expect(text ?? 'COLLECTOR_SECRET').toContain('COLLECTOR_SECRET');
});
