/** Pages of all kinds: what is collected from them, and what is refused. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { findFreePort } from '../../scripts/embedded/ports.js';
import {
  newHost,
  startCollectorService,
  type CollectorService,
} from '../support/collector-service.js';
import { redirectTo, startPages, type Page, type Pages } from '../support/pages.js';

const MAX_BYTES = 20_000;

let service: CollectorService;
let pages: Pages;

beforeAll(async () => {
  const env = { COLLECTOR_MAX_BYTES: String(MAX_BYTES) };
  [service, pages] = await Promise.all([startCollectorService({ env }), startPages()]);
});
afterAll(() => Promise.all([service.close(), pages.close()]));

function urlOf(path: string, host = newHost()): string {
  return `http://${host}:${pages.port}${path}`;
}

async function collected(path: string, page: Page, sourceType = 'web') {
  pages.set(path, page);
  const { body, id } = await service.collect(urlOf(path), sourceType);
  const data = await service.ask('GET', `/api/v1/collections/${id}/data`);
  const items: { content: string; metadata: { title: string } }[] = data.body.data;
  return { ...body, items, text: items.map(({ content }) => content).join('|') };
}

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])('%i is followed', async (status) => {
    pages.set('/target', { body: 'arrived' });
    const { text } = await collected('/from', redirectTo('/target?x=1', status));
    expect(text).toBe('arrived');
  });

  test('five are followed, six are not', async () => {
    pages.set('/end', { body: 'arrived' });
    ['/1', '/2', '/3', '/4', '/5', '/6'].forEach((path, at, all) => {
      pages.set(path, redirectTo(all[at + 1] ?? '/end'));
    });
    expect((await service.collect(urlOf('/2'))).body.status).toBe('completed');
    expect((await service.collect(urlOf('/1'))).body).toMatchObject({
      status: 'failed',
      error: 'more than 5 redirects (bad-redirect)',
    });
  });

  test('a loop ends', async () => {
    expect((await collected('/loop', redirectTo('/loop'))).error).toContain('(bad-redirect)');
  });

  test('a target in raw UTF-8 is understood', async () => {
    pages.set('/%ED%95%9C%EA%B8%80', { body: 'arrived' });
    const location = Buffer.from('/한글').toString('latin1');
    expect((await collected('/raw', redirectTo(location))).text).toBe('arrived');
  });

  test.each(['http://', 'http://[::1'])('to "%s" leads nowhere', async (target) => {
    expect((await collected('/bad', redirectTo(target))).error).toContain('(bad-redirect)');
  });

  test('a redirect without a target is no page', async () => {
    expect((await collected('/none', { status: 302 })).error).toContain('302 (page-status)');
  });

  test('what robots.txt of the new place disallows is not read', async () => {
    const other = newHost();
    pages.set('/robots.txt', (request, response) => {
      const isOther = request.headers.host?.startsWith(other) === true;
      response.writeHead(isOther ? 200 : 404, { 'content-type': 'text/plain' });
      response.end('User-agent: AgentForgeBot\nDisallow: /closed\n');
    });
    const { error } = await collected('/to-other', redirectTo(urlOf('/closed', other)));
    pages.set('/robots.txt', { status: 404 });
    expect(error).toMatch(/disallowed by robots\.txt \(disallowed-by-robots\)/);
    expect(pages.requests).not.toContain(`${other} /closed`);
  });
});

describe('statuses', () => {
  test.each([201, 204, 206, 304, 400, 401, 404, 410, 501])('%i is final', async (status) => {
    const { error } = await collected('/status', { status });
    expect(error).toBe(`the page answered with HTTP status ${status} (page-status)`);
  });

  test.each([408, 429, 500, 502, 503, 504])('%i may pass', async (status) => {
    const { error } = await collected('/status', { status });
    expect(error).toBe(`the page answered with HTTP status ${status} (page-unavailable)`);
  });
});

describe('sizes', () => {
  const exact = 'x'.repeat(MAX_BYTES);
  const bomb = '\u0000'.repeat(50_000_000);

  test('a page of the limit is read', async () => {
    const { status, text } = await collected('/exact', { type: 'text/plain', body: exact });
    expect(status).toBe('completed');
    expect(text).toContain('xxx');
  });

  test.each<[string, Page]>([
    ['one byte more', { type: 'text/plain', body: `${exact}x` }],
    ['one byte more, of unknown length', (_, response) => void response.write(`${exact}x`)],
    ['a gzip bomb', { headers: { 'content-encoding': 'gzip' }, body: gzipSync(bomb) }],
    ['a brotli bomb', { headers: { 'content-encoding': 'br' }, body: brotliCompressSync(bomb) }],
  ])('%s is too large', async (_, page) => {
    const withType: Page =
      typeof page === 'function'
        ? (request, response) => {
            response.setHeader('content-type', 'text/plain');
            page(request, response);
          }
        : page;
    expect((await collected('/large', withType)).error).toBe(
      `the page is larger than ${MAX_BYTES} bytes (too-large)`,
    );
  });

  test('a page without end is left when it is too large', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<undefined>();
    const { error } = await collected('/endless', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = () => {
        while (response.write('more and more ')) {
          // until its buffer is full
        }
        response.once('drain', more);
      };
      response.once('close', () => {
        resolve(undefined);
      });
      more();
    });
    expect(error).toContain('(too-large)');
    await closed;
  });

  test.each(['gzip', 'br'])('%s is unpacked', async (encoding) => {
    const pack = encoding === 'gzip' ? gzipSync : brotliCompressSync;
    const page = { headers: { 'content-encoding': encoding }, body: pack(Buffer.from('packed')) };
    expect((await collected('/packed', page)).text).toBe('packed');
  });

  test.each([
    ['zstd', 'unreadable'],
    ['gzip, gzip', 'unreadable'],
    ['gzip', 'connection-failed'],
  ])('a body that is not what %s says is refused', async (encoding, code) => {
    const page = { headers: { 'content-encoding': encoding }, body: 'not packed at all' };
    expect((await collected('/odd', page)).error).toContain(`(${code})`);
  });

  test('a page that breaks off is not taken for whole', async () => {
    const { error } = await collected('/half', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' });
      response.write('only the beginning', () => response.destroy());
    });
    expect(error).toBe('the page broke off (connection-failed)');
  });

  test('headers without end are refused', async () => {
    const { error } = await collected('/headers', (_, response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`);
    });
    expect(error).toContain('(connection-failed)');
  });
});

describe('contents', () => {
  test.each([
    'text/html',
    'application/xhtml+xml',
    'text/plain',
    'text/markdown',
    'text/csv',
    'application/json',
    'application/ld+json',
    'text/xml; charset=utf-8',
    'application/rss+xml',
    'TEXT/HTML;Charset="UTF-8"',
  ])('%s is collected', async (type) => {
    expect((await collected('/typed', { type, body: 'some content' })).text).toBe('some content');
  });

  test.each([
    'image/png',
    'image/svg+xml',
    'application/octet-stream',
    'application/zip',
    'application/javascript',
    'video/mp4',
    'application/pdf',
    'multipart/x-mixed-replace',
    null,
  ])('%s is refused', async (type) => {
    const { error } = await collected('/typed', { type, body: 'some content' });
    expect(error).toContain('(content-type)');
  });

  test('a PDF is collected where one was asked for', async () => {
    const page = { type: 'application/pdf', body: pdfSaying('Hello from a PDF') };
    const { items } = await collected('/pdf', page, 'pdf');
    expect(items[0]).toMatchObject({
      content: 'Hello from a PDF',
      metadata: { title: 'A title' },
    });
    expect((await collected('/pdf', page, 'file')).status).toBe('completed');
    const html = { body: 'no PDF' };
    expect((await collected('/pdf', html, 'pdf')).error).toContain('(content-type)');
  });

  test.each([
    ['the server', { type: 'text/html; charset=EUC-KR' }, ''],
    ['the page', { type: 'text/html' }, '<meta charset="euc-kr">'],
    ['the document', { type: 'application/xml' }, '<?xml version="1.0" encoding="euc-kr"?>'],
  ])('Korean in the encoding that %s names is read', async (_, typed, head) => {
    const korean = Buffer.from([0xc7, 0xd1, 0xb1, 0xdb]); // 한글
    const body = Buffer.concat([Buffer.from(`${head}<p>`), korean, Buffer.from('</p>')]);
    expect((await collected('/korean', { ...typed, body })).text).toContain('한글');
  });

  test('a byte order mark wins, and wrong bytes break nothing', async () => {
    const utf16 = Buffer.from('\uFEFFwide', 'utf16le');
    expect((await collected('/wide', { type: 'text/plain', body: utf16 })).text).toBe('wide');
    const wrong = Buffer.from([0x61, 0xff, 0xfe, 0x62]);
    expect((await collected('/wrong', { type: 'text/plain', body: wrong })).text).toBe('a��b');
  });

  test('of a page only what people read is kept', async () => {
    const body = `<!doctype html><html><head><title>Shop &amp; more</title><style>p{}</style></head>
      <body><nav>Menu</nav><h1>Reviews</h1><p hidden>hidden</p><p style="display: none">unseen</p>
      <script>alert(1)</script><noscript>no script</noscript><img alt="picture" src="x">
      <p>A <b>very</b>   good <a href="https://other.example">app</a>.</p>
      <table><tr><th>App</th><th>Price</th></tr><tr><td>One</td><td>3 $</td></tr></table>
      <ul><li>fast</li><li>cheap</li></ul><p>ig\u200Bnored\u202E</p><footer>Imprint</footer></body>`;
    const { items, text } = await collected('/shop', { body });
    expect(items[0]?.metadata.title).toBe('Shop & more');
    expect(text).toBe(
      'Reviews\n\nA very good app.\n\nApp Price\nOne 3 $\n\n* fast\n* cheap\n\nignored',
    );
  });

  test('a page without text is no success with nothing in it', async () => {
    const { status, error } = await collected('/app', { body: '<div id="root"></div>' });
    expect(status).toBe('failed');
    expect(error).toContain('(no-text)');
  });

  test('a long text comes in pieces that overlap, and ends with a mark', async () => {
    const large = await startCollectorService();
    const host = newHost();
    pages.set('/long', { type: 'text/plain', body: '😀'.repeat(150_000) });
    const { id, body } = await large.collect(urlOf('/long', host));
    const data = (await large.ask('GET', `/api/v1/collections/${id}/data`)).body;
    await large.close();
    expect(body.status).toBe('completed');
    expect(data.total_items).toBe(data.data.length);
    expect(data.data.map(({ index }: any) => index)).toEqual([...data.data.keys()]);
    expect(data.data[0].content).toBe('😀'.repeat(1_000));
    expect(data.total_items).toBe(125);
    expect(data.data.at(-1).content).toMatch(/\[truncated\]$/u);
  });

  test('personal data is masked and named', async () => {
    const body = '<title>홍길동님의 글</title><p>010-1234-5678, me@mail.example';
    const { items, compliance } = await collected('/pii', { body });
    expect(items[0]?.content).toBe('[PHONE], [EMAIL]');
    expect(items[0]?.metadata.title).toBe('[NAME]님의 글');
    expect(compliance).toMatchObject({
      status: 'warning',
      has_pii: true,
      pii_types: ['phone', 'email', 'name_pattern'],
    });
  });
});

describe('connections', () => {
  test('the site sees who asks, and nothing else about us', async () => {
    await collected('/who', { body: 'text' });
    const { headers, url } = pages.lastRequest() ?? {};
    expect(url).toBe('/who');
    expect(headers).toEqual({
      host: expect.stringMatching(/^[\w-]+\.pages\.example:\d+$/),
      'user-agent': 'AgentForgeBot/1.0',
      accept: expect.stringContaining('text/html'),
      'accept-encoding': 'gzip, br',
      connection: 'close',
    });
  });

  test('a site that hangs up has failed', async () => {
    const { error } = await collected('/hangs-up', (request) => request.socket.destroy());
    expect(error).toContain('(connection-failed)');
  });

  test('nobody at the address has failed', async () => {
    const { body } = await service.collect(`http://${newHost()}:${await findFreePort()}/`);
    expect(body.error).toContain('(connection-failed)');
  });

  test('a site that does not speak TLS is told apart', async () => {
    const { body } = await service.collect(urlOf('/page').replace('http:', 'https:'));
    expect(body.error).toContain('(tls-failed)');
  });

  test.each<[string, Page]>([
    ['never answers', () => undefined],
    [
      'answers drop by drop',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/plain' });
        const timer = setInterval(() => response.write('.'), 20);
        response.once('close', () => {
          clearInterval(timer);
        });
      },
    ],
    ['redirects and then never answers', redirectTo('/silent')],
  ])('a site that %s is left after the limit', async (_, page) => {
    const quick = await startCollectorService({ env: { COLLECTOR_TIMEOUT_SECONDS: '0.3' } });
    pages.set('/silent', () => undefined);
    pages.set('/slow', page);
    const { body } = await quick.collect(urlOf('/slow'));
    await quick.close();
    expect(body).toMatchObject({
      status: 'failed',
      error: 'the page was not there within 0.3 s (timeout)',
    });
  });
});

function pdfSaying(text: string): string {
  const drawn = `BT /F1 24 Tf 20 100 Td (${text}) Tj ET`;
  return `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 144]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length ${drawn.length}>>stream
${drawn}
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R/Info<</Title(A title)>>>>`;
}
