import { createCollector, type CollectOutcome } from '../../activities/node/collector-client.js';
import { pageText, problemText } from '../../domain/collector/texts.js';
import { chunksOf } from '../../domain/text/chunks.js';
import { inLogScope } from '../../telemetry/log-scope.js';
import { startCollector, type CollectorScript } from '../support/collector.js';

const URL = 'https://shop.example/list';
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((it) => it.close()));
});

interface Settings {
  readonly url?: string;
  readonly attempts?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

async function collect(script: CollectorScript = {}, settings: Settings = {}) {
  const {
    url = URL,
    attempts = 1,
    timeoutMs = 5_000,
    signal = new AbortController().signal,
  } = settings;
  const standIn = await startCollector(script);
  open.push(standIn);
  const collector = createCollector({ baseUrl: `${standIn.baseUrl}/`, timeoutMs, firstWaitMs: 1 });
  return { outcome: await collector.collect({ url, attempts }, signal), standIn };
}

function problem(fields: object): CollectOutcome {
  return { kind: 'problem', problem: fields } as CollectOutcome;
}

test('a page is collected in four calls, and its texts are read from `data`', async () => {
  const { outcome, standIn } = await collect();
  expect(outcome).toEqual({
    kind: 'collected',
    page: { url: URL, items: 2, text: 'first\nsecond' },
  });
  expect(standIn.calls).toEqual(['POST ', 'GET compliance', 'POST collect', 'GET data']);
});

test.each([
  ['https://shop.example/list', 'web'],
  ['https://shop.example/terms.pdf', 'file'],
  ['https://shop.example/terms.PDF?download=1', 'file'],
  ['https://shop.example/pdf?of=a.pdf', 'web'],
])('%s is collected as %s', async (url, source_type) => {
  const { standIn } = await collect({}, { url });
  expect(standIn.bodies).toEqual([{ url, source_type }]);
});

test('the older names `items` and `reason` are understood too', async () => {
  const items = { 'GET data': () => ({ body: { items: ['plain', { content: 'text' }] } }) };
  expect((await collect(items)).outcome).toMatchObject({ page: { items: 2, text: 'plain\ntext' } });
  const blocked = { 'GET compliance': () => ({ body: { status: 'blocked', reason: 'old' } }) };
  expect((await collect(blocked)).outcome).toEqual(problem({ kind: 'blocked', reason: 'old' }));
});

test('a blocked page is not collected, and the reason is kept', async () => {
  const { outcome, standIn } = await collect({
    'GET compliance': () => ({ body: { status: 'blocked', robots_reason: 'robots.txt' } }),
  });
  expect(outcome).toEqual(problem({ kind: 'blocked', reason: 'robots.txt' }));
  expect(standIn.calls).toEqual(['POST ', 'GET compliance']);
});

test('a crawl that failed is no success with nothing in it', async () => {
  const { outcome, standIn } = await collect({
    'POST collect': () => ({ body: { status: 'failed', error: 'HTTP 404' } }),
  });
  expect(outcome).toEqual(problem({ kind: 'failed', reason: 'HTTP 404' }));
  expect(standIn.calls).not.toContain('GET data');
});

test.each([422, 403, 404, 302])('the status %i is final and named', async (status) => {
  const { outcome, standIn } = await collect({ 'POST ': () => ({ status }) }, { attempts: 3 });
  const refusal = status === 422 ? { refusal: 'refused-address' as const } : {};
  expect(outcome).toEqual(problem({ kind: 'status', status, ...refusal }));
  expect(standIn.calls).toHaveLength(1);
});

test('the status 403 of a collect says that robots.txt refuses the page', async () => {
  const { outcome } = await collect({ 'POST collect': () => ({ status: 403 }) });
  const refusal = 'disallowed-by-robots';
  expect(outcome).toEqual(problem({ kind: 'status', status: 403, refusal }));
});

test('a 5xx answer is asked again until it succeeds', async () => {
  const flaky = (time: number) => (time < 3 ? { status: 503 } : { body: { status: 'completed' } });
  const { outcome } = await collect({ 'POST collect': flaky }, { attempts: 3 });
  expect(outcome.kind).toBe('collected');
});

test.each([
  [0, 1],
  [1, 1],
  [4, 4],
])('with %i attempts a 5xx answer is asked for %i times', async (attempts, calls) => {
  const { outcome, standIn } = await collect({ 'POST ': () => ({ status: 500 }) }, { attempts });
  expect(outcome).toEqual(problem({ kind: 'status', status: 500 }));
  expect(standIn.calls).toHaveLength(calls);
});

const CRAWL_503 = 'the page answered with HTTP status 503 (page-unavailable)';

test.each<[string, string, number]>([
  ['that may pass', CRAWL_503, 3],
  ['that will not', 'the page answered with HTTP status 404 (page-status)', 1],
  ['of unknown kind', 'words of another collector', 1],
])('a failed crawl %s is tried as often as makes sense', async (_, error, calls) => {
  const failing = { 'POST collect': () => ({ body: { status: 'failed', error } }) };
  const { outcome, standIn } = await collect(failing, { attempts: 3 });
  expect(outcome).toEqual(problem({ kind: 'failed', reason: error }));
  expect(standIn.calls.filter((call) => call === 'POST collect')).toHaveLength(calls);
});

test('a crawl that succeeds at last is a success', async () => {
  const flaky = (time: number) => ({
    body: time < 3 ? { status: 'failed', error: CRAWL_503 } : { status: 'completed' },
  });
  const { outcome } = await collect({ 'POST collect': flaky }, { attempts: 3 });
  expect(outcome.kind).toBe('collected');
});

test.each([
  'the address is private (refused-address)',
  'redirected to a page that is disallowed by robots.txt (disallowed-by-robots)',
])('a crawl that ends with "%s" was blocked', async (error) => {
  const refusing = { 'POST collect': () => ({ body: { status: 'failed', error } }) };
  const { outcome, standIn } = await collect(refusing, { attempts: 3 });
  expect(outcome).toEqual(problem({ kind: 'blocked', reason: error }));
  expect(standIn.calls).toHaveLength(3);
});

test('a collector that goes away in the middle is asked again', async () => {
  const { outcome, standIn } = await collect(
    { 'POST collect': (time) => (time === 1 ? { hangsUp: true } : { body: {} }) },
    { attempts: 2 },
  );
  expect(outcome.kind).toBe('collected');
  expect(standIn.calls.filter((call) => call === 'POST ')).toHaveLength(2);
});

test('a busy collector is given the time that it asks for', async () => {
  const startedAt = performance.now();
  const busy = (time: number) => (time === 1 ? { status: 503, retryAfter: '1' } : { body: {} });
  const { outcome } = await collect({ 'POST collect': busy }, { attempts: 2 });
  expect(outcome.kind).toBe('collected');
  expect(performance.now() - startedAt).toBeGreaterThan(900);
});

test('texts of pieces that overlap are put together again', async () => {
  const text = Array.from({ length: 1_500 }, (_, at) => String.fromCodePoint(0x4e00 + at)).join('');
  const data = chunksOf(text).map((content, index) => ({ content, index }));
  const { outcome } = await collect({ 'GET data': () => ({ body: { data, total_items: 2 } }) });
  expect(outcome).toEqual({ kind: 'collected', page: { url: URL, items: 2, text } });
});

test('the collector gets the trace context of the call', async () => {
  const { standIn } = await inLogScope({ requestId: 'request-1', traceId: 'a'.repeat(32) }, () =>
    collect(),
  );
  expect(standIn.headers.map((headers) => headers['x-request-id'])).toEqual(
    Array(4).fill('request-1'),
  );
  expect(standIn.headers[0]?.['traceparent']).toMatch(/^00-a{32}-[\da-f]{16}-01$/);
});

test('checks that the collector is up without sending it a request', async () => {
  const standIn = await startCollector();
  open.push(standIn);
  const { signal } = new AbortController();
  const isReachable = (baseUrl: string) => createCollector({ baseUrl }).isReachable(signal);
  expect(await isReachable(standIn.baseUrl)).toBe(true);
  expect(await isReachable(standIn.baseUrl.replace('127.0.0.1', 'localhost'))).toBe(true);
  expect(standIn.calls).toEqual([]);
  await standIn.close();
  expect(await isReachable(standIn.baseUrl)).toBe(false);
  expect(await isReachable('http://no-such-host.invalid')).toBe(false);
  expect(await isReachable('nonsense')).toBe(false);
});

test('cancellation ends the attempt to connect', async () => {
  const collector = createCollector({ baseUrl: 'http://127.0.0.1:9' });
  const trying = collector.isReachable(AbortSignal.abort());
  await expect(trying).rejects.toMatchObject({ code: 'cancelled' });
});

test('a refused connection is distinguished from every other problem', async () => {
  const { standIn } = await collect();
  await standIn.close();
  const collector = createCollector({ baseUrl: standIn.baseUrl, firstWaitMs: 1 });
  const { signal } = new AbortController();
  expect(await collector.collect({ url: URL, attempts: 3 }, signal)).toEqual({
    kind: 'unreachable',
  });
});

test('a collector that does not answer in time has timed out', async () => {
  const silent = { 'POST collect': () => ({ silent: true }) };
  const { outcome } = await collect(silent, { timeoutMs: 100, attempts: 3 });
  expect(outcome).toEqual(problem({ kind: 'timeout' }));
});

test.each([
  ['no JSON', '<html>'],
  ['another shape', { data: [{ text: 1 }] }],
  ['more than 5 MiB', { data: [{ content: 'x'.repeat(6 * 1024 * 1024) }] }],
])('an answer with %s is a problem, not a crash', async (_, body) => {
  const { outcome } = await collect({ 'GET data': () => ({ body }) });
  expect(outcome).toEqual(problem({ kind: 'unreadable' }));
});

test('cancellation ends a call in flight', async () => {
  const controller = new AbortController();
  const silent = {
    'POST collect': () => {
      controller.abort();
      return { silent: true };
    },
  };
  const ended = collect(silent, { signal: controller.signal });
  await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
});

test('cancellation ends the wait before the next attempt', async () => {
  const controller = new AbortController();
  const standIn = await startCollector({ 'POST ': () => ({ status: 500 }) });
  open.push(standIn);
  const collector = createCollector({ baseUrl: standIn.baseUrl, firstWaitMs: 30_000 });
  const ended = collector.collect({ url: URL, attempts: 5 }, controller.signal);
  setTimeout(() => {
    controller.abort();
  }, 100);
  await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
});

test('the text of a page is cut at 2000 characters with a marker', () => {
  const long = pageText({ url: URL, items: 3, text: 'x'.repeat(2_500) }, 'en');
  expect(long).toContain('x'.repeat(2_000));
  expect(long).not.toContain('x'.repeat(2_001));
  expect(long).toContain('[truncated]');
  const short = pageText({ url: URL, items: 3, text: 'short' }, 'ko');
  expect(short).toContain(URL);
  expect(short).toContain('3');
  expect(short).not.toContain('truncated');
});

test.each(['en', 'ko'] as const)('problems keep the words clients look for (%s)', (language) => {
  const said = (fields: Parameters<typeof problemText>[1]) => problemText(URL, fields, language);
  expect(said({ kind: 'blocked', reason: 'robots' })).toMatch(/blocked.*: robots/);
  expect(said({ kind: 'timeout' })).toContain('timed out');
  expect(said({ kind: 'status', status: 422 })).toContain('422');
  expect(said({ kind: 'failed', reason: '' })).toMatch(
    /failed.*: (?:the data collector gave no reason|데이터 수집기가 이유를 알려 주지 않았습니다)$/,
  );
  expect(said({ kind: 'failed', reason: 'r'.repeat(500) }).length).toBeLessThan(300);
  expect(said({ kind: 'unreadable' })).toContain(URL);
  expect(said({ kind: 'unreachable' })).toMatch(/could not be reached|연결할 수 없/);
});

test('what the collector may read is not blocked here either', async () => {
  const standIn = await startCollector();
  open.push(standIn);
  const allowed = [{ host: 'wiki.corp', port: 8080 }];
  const { collect: ask } = createCollector({ baseUrl: standIn.baseUrl, allowed });
  const { signal } = new AbortController();
  const kindOf = async (url: string) => (await ask({ url, attempts: 1 }, signal)).kind;
  expect(await kindOf('http://wiki.corp:8080/page')).toBe('collected');
  expect(await kindOf('http://wiki.corp/page')).toBe('problem');
});

test('a private address is blocked, and the collector is not asked', async () => {
  const standIn = await startCollector();
  open.push(standIn);
  const { collect: ask } = createCollector({ baseUrl: standIn.baseUrl });
  const { signal } = new AbortController();
  for (const url of [
    'http://169.254.169.254/latest/',
    'http://127.1:5432/',
    'http://redis:6379/',
  ]) {
    const outcome = await ask({ url, attempts: 3 }, signal);
    expect(outcome).toEqual(problem({ kind: 'blocked', reason: 'private address' }));
  }
  expect(standIn.calls).toEqual([]);
});
