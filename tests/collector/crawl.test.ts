/** Pages of all kinds: what is collected from them, and what is refused. */
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
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

  test('what robots.txt of the redirect’s target disallows is not read', async () => {
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

  test.each([408, 429, 500, 502, 503, 504])('%i is temporary', async (status) => {
    const { error } = await collected('/status', { status });
    expect(error).toBe(`the page answered with HTTP status ${status} (page-unavailable)`);
  });
});

describe('pages that redirect their reader', () => {
  test.each<[string, Page]>([
    ['a meta', { body: '<meta http-equiv="refresh" content="0; url=/target">wait' }],
    [
      'a meta of its own spelling',
      { body: '<META content=\'3;URL="/target"\' HTTP-EQUIV=Refresh>' },
    ],
    ['a header', { headers: { refresh: '0; url=/target' }, body: 'wait' }],
    ['a header without url=', { headers: { refresh: '5;/target' }, body: 'wait' }],
  ])('%s is followed', async (_, page) => {
    pages.set('/target', { body: 'arrived' });
    expect((await collected('/from', page)).text).toBe('arrived');
  });

  test.each([
    ['to itself', '<meta http-equiv=refresh content="0;url=/from">here'],
    ['after minutes', '<meta http-equiv=refresh content="300;url=/target">here'],
    [
      'without scripts',
      '<noscript><meta http-equiv=refresh content="0;url=/target"></noscript>here',
    ],
    ['in a comment', '<!-- <meta http-equiv=refresh content="0;url=/target"> -->here'],
    ['to a script', '<meta http-equiv=refresh content="0;url=javascript:x()">here'],
  ])('one %s is collected itself', async (_, body) => {
    expect((await collected('/from', { body })).text).toBe('here');
  });

  test('only once', async () => {
    pages.set('/second', { body: '<meta http-equiv=refresh content="0;url=/from">second' });
    const first = '<meta http-equiv=refresh content="0;url=/second">first';
    expect((await collected('/from', { body: first })).text).toBe('second');
  });

  test.each(['http://10.0.0.1/x', 'http://169.254.169.254/latest'])(
    'not to the private address %s',
    async (target) => {
      const meta = `<meta http-equiv=refresh content="0;url=${target}">first`;
      expect((await collected('/from', { body: meta })).error).toContain('(refused-address)');
      const head = { headers: { refresh: `0;url=${target}` }, body: 'first' };
      expect((await collected('/from', head)).error).toContain('(refused-address)');
    },
  );

  test('a page that sets a cookie and redirects to itself admits a reader that returns the cookie', async () => {
    const { text } = await collected('/wall', (request, response) => {
      if (request.headers.cookie === 'seen=1') {
        response.writeHead(200, { 'content-type': 'text/plain' }).end('inside');
      } else {
        response
          .writeHead(302, { 'set-cookie': 'seen=1; Path=/; HttpOnly', location: '/wall' })
          .end();
      }
    });
    expect(text).toBe('inside');
  });

  test('a cookie goes to the host that has set it alone', async () => {
    let seen: string | undefined = 'none';
    pages.set('/elsewhere', (request, response) => {
      seen = request.headers.cookie;
      response.writeHead(200, { 'content-type': 'text/plain' }).end('elsewhere');
    });
    const location = urlOf('/elsewhere');
    const page = { status: 302, headers: { 'set-cookie': 'secret=1', location } };
    expect((await collected('/sets', page)).text).toBe('elsewhere');
    expect(seen).toBeUndefined();
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

  const packed = Buffer.from('packed');
  test.each([
    ['gzip', gzipSync(packed)],
    ['X-GZIP', gzipSync(packed)],
    ['br', brotliCompressSync(packed)],
    ['deflate', deflateSync(packed)],
    ['deflate', deflateRawSync(packed)],
    ['zstd', zstdCompressSync(packed)],
    ['gzip, br', brotliCompressSync(gzipSync(packed))],
    ['utf-8', packed],
    ['none', packed],
    ['text/html', packed],
    ['UTF-8, gzip', gzipSync(packed)],
  ])('what comes as %s is read', async (encoding, body) => {
    const page = { headers: { 'content-encoding': encoding }, body };
    expect((await collected('/packed', page)).text).toBe('packed');
  });

  test.each([
    ['zstd', 'the page is not packed as it says (unreadable)'],
    ['gzip, gzip', 'the page is not packed as it says (unreadable)'],
    ['gzip', 'the page is not packed as it says (unreadable)'],
    ['br', 'the page is not packed as it says (unreadable)'],
    ['compress', 'the page is packed with compress, which is not read (unreadable)'],
    ['gzip, gzip, gzip', 'the page is packed too many times over (unreadable)'],
  ])('a body that is not what %s says is refused', async (encoding, error) => {
    const page = { headers: { 'content-encoding': encoding }, body: 'not packed at all' };
    expect((await collected('/odd', page)).error).toBe(error);
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
    expect(error).toMatch(/^the head of .+'s answer is too large \(unreadable\)$/);
  });

  test('a head that cannot be parsed is reported as such', async () => {
    const { error } = await collected('/no-http', (_, response) => {
      response.socket?.end('HTTP/1.1 200 OK\r\nbad header line\r\n\r\nhello');
    });
    expect(error).toMatch(/answered with a head that is no HTTP \(unreadable\)$/);
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

  const SENTENCE = '배터리가 오래가고 화면이 밝아요';
  /** The same in EUC-KR. */
  const EUC_KR = Buffer.from(
    'b9e8c5cdb8aeb0a120bfc0b7a1b0a1b0ed20c8adb8e9c0cc20b9e0bec6bfe4',
    'hex',
  );
  test.each([
    ...[
      'MS949',
      'cp949',
      'windows-949',
      'ks_c_5601-1987',
      'KSC5601',
      'EUC_KR',
      'x-windows-949',
      'korean',
    ],
    ...['utf-8', 'iso-8859-1', 'nonsense', ''],
  ])('Korean in EUC-KR that the server calls "%s" is read', async (label) => {
    const type = label === '' ? 'text/html' : `text/html; charset=${label}`;
    const body = Buffer.concat([Buffer.from('<p>'), EUC_KR, Buffer.from('</p>')]);
    expect((await collected('/korean', { type, body })).text).toBe(SENTENCE);
  });

  test.each(['cp949', 'MS949', 'ks_c_5601-1987', 'utf-8'])(
    'Korean in EUC-KR that the page calls "%s" is read',
    async (label) => {
      const head = `<html><head><meta http-equiv="Content-Type" content="text/html; charset=${label}">`;
      const body = Buffer.concat([Buffer.from(head), EUC_KR]);
      expect((await collected('/korean', { type: 'text/html', body })).text).toBe(SENTENCE);
    },
  );

  test.each<[string, string | null, Buffer]>([
    ['UTF-8 without a label', 'text/html', Buffer.from(SENTENCE)],
    ['UTF-8 called latin1', 'text/html; charset=iso-8859-1', Buffer.from(SENTENCE)],
    ['UTF-16 with a mark', 'text/plain', Buffer.from(`\uFEFF${SENTENCE}`, 'utf16le')],
    ['UTF-16 without one', 'text/html; charset=utf-16', Buffer.from(SENTENCE, 'utf16le')],
    ['a repeated type', 'text/html, text/html; charset=euc-kr', EUC_KR],
    ['a type and another', 'text/plain, text/html; charset="ms949"', EUC_KR],
    ['no type', null, Buffer.from(SENTENCE)],
    ['no type, and EUC-KR', null, Buffer.concat([Buffer.from('<!doctype html><p>'), EUC_KR])],
    ['no real type', 'html', Buffer.from(`<html>${SENTENCE}`)],
  ])('Korean with %s is read', async (_, type, body) => {
    expect((await collected('/korean', { type, body })).text).toBe(SENTENCE);
  });

  test.each<[string, string, Buffer]>([
    ['bytes of no text', 'text/plain', Buffer.from([0x61, 0xff, 0xfe, 0x62])],
    [
      'UTF-8 that is none',
      'text/html; charset=utf-8',
      Buffer.from('가나다라'.repeat(9)).subarray(1),
    ],
    ['Korean in escapes', 'text/html; charset=iso-2022-kr', Buffer.from('\x1b$)C\x0e0!\x0f')],
    [
      'Japanese without a label',
      'text/html',
      Buffer.from('93fa967b8cea82cc83658358836782c582b7', 'hex'),
    ],
  ])('%s is a failure that says so', async (_, type, body) => {
    const { error, status } = await collected('/wrong', { type, body: body.subarray(0, -1) });
    expect(status).toBe('failed');
    expect(error).toMatch(/encoding.* \(unreadable\)$/);
  });

  test('one wrong byte in a long page is left out', async () => {
    const body = Buffer.concat([
      Buffer.from('word '.repeat(500)),
      Buffer.from([0xff]),
      Buffer.from('end'),
    ]);
    const { text } = await collected('/wrong', { type: 'text/plain; charset=utf-8', body });
    expect(text).toMatch(/word end$/);
  });

  test('bytes of a picture without a type are no text', async () => {
    const body = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
    expect((await collected('/typed', { type: null, body })).error).toContain('(content-type)');
  });

  test('only the visible text of a page is kept', async () => {
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
  test('the site sees the user agent, and nothing else about us', async () => {
    await collected('/who', { body: 'text' });
    const { headers, url } = pages.lastRequest() ?? {};
    expect(url).toBe('/who');
    expect(headers).toEqual({
      host: expect.stringMatching(/^[\w-]+\.pages\.example:\d+$/),
      'user-agent': 'AgentForgeBot/1.0',
      accept: expect.stringContaining('text/html'),
      'accept-encoding': 'gzip, deflate, br, zstd',
      connection: 'close',
    });
  });

  test('a site that hangs up has failed', async () => {
    const { error } = await collected('/hangs-up', (request) => request.socket.destroy());
    expect(error).toContain('(connection-failed)');
  });

  test('a refused connection has failed', async () => {
    const { body } = await service.collect(`http://${newHost()}:${await findFreePort()}/`);
    expect(body.error).toContain('(connection-failed)');
  });

  test('a site that does not speak TLS is reported as such', async () => {
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
