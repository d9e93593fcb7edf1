/** Every route, field and status of the service. Source: contract, pipeline §3.3. */
import {
  newHost,
  startCollectorService,
  type CollectorService,
} from '../support/collector-service.js';
import { startPages, type Pages } from '../support/pages.js';
import { until } from '../support/until.js';

const COLLECTIONS = '/api/v1/collections';
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

let service: CollectorService;
let pages: Pages;

beforeAll(async () => {
  [service, pages] = await Promise.all([startCollectorService(), startPages()]);
  pages.set('/page', { body: '<title>A title</title><p>Some text' });
});
afterAll(() => Promise.all([service.close(), pages.close()]));

function pageUrl(path = '/page', host = newHost()): string {
  return `http://${host}:${pages.port}${path}`;
}

async function created(body: object): Promise<string> {
  const answer = await service.ask('POST', COLLECTIONS, body);
  expect(answer.status).toBe(201);
  return answer.body.id;
}

const at = (id: string, what: string) => `${COLLECTIONS}/${id}/${what}`;

test('a page is collected in four calls with exactly the contract’s fields', async () => {
  const url = pageUrl();
  const order = { url, source_type: 'web', options: { anything: 1 } };
  const pending = await service.ask('POST', COLLECTIONS, order);
  expect(pending).toMatchObject({ status: 201 });
  const { id } = pending.body;
  const common = { id, source_type: 'web', url, created_at: expect.stringMatching(/Z$/) };
  expect(pending.body).toEqual({ ...common, status: 'pending', compliance: null, error: null });

  const compliance = await service.ask('GET', at(id, 'compliance'));
  expect(compliance.status).toBe(200);
  expect(compliance.body).toEqual({
    status: 'allowed',
    robots_allowed: true,
    robots_reason: 'no robots.txt (HTTP 404), so allowed',
    has_pii: false,
    pii_types: [],
    rate_limit_seconds: 0,
  });

  const collected = await service.ask('POST', at(id, 'collect'));
  expect(collected.status).toBe(200);
  const completed = { ...common, status: 'completed', compliance: compliance.body, error: null };
  expect(collected.body).toEqual(completed);
  expect((await service.ask('GET', at(id, 'status'))).body).toEqual(completed);

  const data = await service.ask('GET', at(id, 'data'));
  expect(data.status).toBe(200);
  expect(data.body).toEqual({
    id,
    status: 'completed',
    data: [{ content: 'Some text', index: 0, metadata: { url, title: 'A title' } }],
    total_items: 1,
    metadata: { url, source_type: 'web' },
  });
});

test('compliance may be asked with POST too, and the site is asked once', async () => {
  const host = newHost();
  const id = await created({ url: pageUrl('/page', host) });
  const [first, second] = [
    await service.ask('POST', at(id, 'compliance')),
    await service.ask('GET', at(id, 'compliance')),
  ];
  expect(first.status).toBe(200);
  expect(second.body).toEqual(first.body);
  expect(pages.requests.filter((it) => it.startsWith(host))).toEqual([`${host} /robots.txt`]);
});

test('what is collected already is not collected again', async () => {
  const host = newHost();
  const { id, status } = await service.collect(pageUrl('/page', host));
  expect(status).toBe(200);
  expect((await service.ask('POST', at(id, 'collect'))).body.status).toBe('completed');
  expect(pages.requests.filter((it) => it === `${host} /page`)).toHaveLength(1);
});

test('a crawl that failed may be tried again', async () => {
  pages.set('/late', { status: 503 });
  const { id, body } = await service.collect(pageUrl('/late'));
  expect(body).toMatchObject({
    status: 'failed',
    error: 'the page answered with HTTP status 503 (page-unavailable)',
  });
  pages.set('/late', { body: 'here now' });
  expect((await service.ask('POST', at(id, 'collect'))).body).toMatchObject({
    status: 'completed',
    error: null,
  });
});

test('a collection without a url cannot be collected', async () => {
  const id = await created({ url: null });
  expect((await service.ask('GET', at(id, 'compliance'))).body).toMatchObject({
    status: 'unchecked',
    robots_allowed: false,
  });
  const refused = await service.ask('POST', at(id, 'collect'));
  expect(refused).toMatchObject({ status: 400, body: { detail: expect.stringMatching(/url/) } });
  expect((await service.ask('GET', at(id, 'data'))).body).toMatchObject({
    data: [],
    total_items: 0,
  });
});

test('nothing is collected before compliance was checked', async () => {
  const id = await created({ url: pageUrl() });
  const refused = await service.ask('POST', at(id, 'collect'));
  expect(refused).toMatchObject({
    status: 400,
    body: { detail: expect.stringMatching(/compliance/i) },
  });
});

test('what robots.txt disallows is blocked, with the reason', async () => {
  pages.set('/robots.txt', { type: 'text/plain', body: 'User-agent: *\nDisallow: /private' });
  const { id, status, body } = await service.collect(pageUrl('/private/page'));
  pages.set('/robots.txt', { status: 404 });
  expect(status).toBe(403);
  expect(body.detail).toMatch(/blocked.*robots\.txt/);
  expect((await service.ask('GET', at(id, 'compliance'))).body).toMatchObject({
    status: 'blocked',
    robots_allowed: false,
    robots_reason: 'disallowed by robots.txt',
  });
  expect((await service.ask('GET', at(id, 'status'))).body.status).toBe('blocked');
});

test.each([
  ['GET', 'status'],
  ['GET', 'compliance'],
  ['POST', 'compliance'],
  ['POST', 'collect'],
  ['GET', 'data'],
] as const)('%s %s of an unknown collection is 404', async (method, what) => {
  for (const id of [UNKNOWN_ID, 'no-uuid', 'a%00b', '%F0%9F%98%80']) {
    expect(await service.ask(method, at(id, what))).toMatchObject({
      status: 404,
      body: { detail: 'Collection not found' },
    });
  }
});

test.each<[string, unknown, string, RegExp]>([
  ['a number as url', { url: 1 }, 'url', /valid string/],
  ['a long url', { url: `http://a.example/${'x'.repeat(2_050)}` }, 'url', /2048/],
  ['a url that is none', { url: 'no address' }, 'url', /^Value error, /],
  ['no url', {}, 'url', /^Field required$/],
  [
    'an unknown type',
    { url: null, source_type: 'ftp' },
    'source_type',
    /'web' or 'api' or 'pdf' or 'file'/,
  ],
  ['options that are none', { url: null, options: 'none' }, 'options', /valid dictionary/],
  ['a list', [], 'unknown', /dictionary/],
  ['a text', 'text', 'unknown', /dictionary/],
])('%s is 422, reported by field', async (_, body, field, msg) => {
  const answer = await service.ask('POST', COLLECTIONS, body);
  expect(answer.status).toBe(422);
  expect(answer.body).toEqual({ detail: [{ field, msg: expect.stringMatching(msg) }] });
});

test('a body that is no JSON is 422, one that is too large 413', async () => {
  const post = (body: string) =>
    fetch(`${service.baseUrl}${COLLECTIONS}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  const malformed = await post('{"url": ');
  expect(malformed.status).toBe(422);
  expect(await malformed.json()).toMatchObject({
    detail: [{ field: expect.any(String), msg: 'JSON decode error' }],
  });
  const large = await post(JSON.stringify({ options: { x: 'x'.repeat(70_000) } }));
  expect(large.status).toBe(413);
  expect(await large.json()).toEqual({ detail: expect.any(String) });
});

test('other paths and methods are refused as JSON', async () => {
  const unknown = await service.ask('GET', '/api/v1/nothing');
  expect(unknown).toMatchObject({ status: 404, body: { detail: 'Not Found' } });
  const wrong = await service.ask('GET', COLLECTIONS);
  expect(wrong).toMatchObject({ status: 405, body: { detail: 'Method Not Allowed' } });
  expect(wrong.headers.get('allow')).toContain('POST');
});

test('it is alive, ready, and reports its load', async () => {
  expect((await service.ask('GET', '/api/v1/health')).body).toEqual({
    status: 'healthy',
    service: 'data-collector',
    version: '0.2.0',
  });
  expect((await service.ask('GET', '/readyz')).status).toBe(200);
  await service.collect(pageUrl());
  const page = String((await service.ask('GET', '/metrics')).body);
  expect(page).toMatch(/^collections_total\{outcome="completed"\} \d/m);
  expect(page).toMatch(/^collected_bytes_total [1-9]/m);
  expect(page).toMatch(/^collection_duration_seconds_count [1-9]/m);
  expect(page).toMatch(/endpoint="\/api\/v1\/collections\/\{id\}\/collect",status="200"/);
  expect(page).not.toContain(UNKNOWN_ID);
});

test('while one works on a collection, a second has to wait, and states are seen', async () => {
  const hold = pages.hold('/slow', { body: 'slow text' });
  const id = await created({ url: pageUrl('/slow') });
  await service.ask('GET', at(id, 'compliance'));
  const first = service.ask('POST', at(id, 'collect'));
  await until('collecting', async () => {
    const { body } = await service.ask('GET', at(id, 'status'));
    return body.status === 'collecting';
  });
  expect((await service.ask('POST', at(id, 'collect'))).status).toBe(409);
  hold.open();
  expect((await first).body.status).toBe('completed');
});
