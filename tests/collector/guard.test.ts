/**
 * Private addresses in every spelling: refused by their text, by what they resolve to, at each
 * redirect, and by the socket itself. The inside is a server that must never be asked.
 */
import { connect } from 'node:net';
import { createDial } from '../../collector/dial.js';
import { createGuard } from '../../collector/guard.js';
import type { Resolve } from '../../collector/resolver.js';
import { parseAllowedAddresses } from '../../domain/security/allowed-addresses.js';
import {
  newHost,
  startCollectorService,
  type CollectorService,
} from '../support/collector-service.js';
import { redirectTo, startPages, type Pages } from '../support/pages.js';

const COLLECTIONS = '/api/v1/collections';
const PUBLIC = '93.184.216.34';

/** What each name resolves to, one answer after the other, the last one for ever. */
const zone = new Map<string, (readonly string[])[]>();
const resolve: Resolve = (name) => {
  const answers = zone.get(name) ?? [[]];
  return Promise.resolve((answers.length > 1 ? answers.shift() : answers[0]) ?? []);
};

let strict: CollectorService;
/** Lets the outside be read: another port of this machine. */
let lenient: CollectorService;
let inside: Pages;
let outside: Pages;

beforeAll(async () => {
  [inside, outside] = await Promise.all([startPages(), startPages()]);
  inside.set('/secret', { body: 'the key of the house' });
  const allowed = { COLLECTOR_ALLOW_ADDRESSES: `127.0.0.1:${outside.port}` };
  [strict, lenient] = await Promise.all([
    startCollectorService({ resolve, env: { COLLECTOR_ALLOW_ADDRESSES: '' } }),
    startCollectorService({ resolve, env: allowed }),
  ]);
});
afterEach(() => {
  expect(inside.requests).toEqual([]);
});
afterAll(() => Promise.all([strict, lenient, inside, outside].map((it) => it.close())));

const SPELLINGS = [
  // plain, and with a port
  'http://127.0.0.1/',
  'http://127.0.0.1:8080/',
  'https://127.0.0.1/',
  'http://127.255.255.254/',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://100.64.0.1/',
  'http://0.0.0.0/',
  'http://0/',
  'http://255.255.255.255/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://192.0.0.170/',
  'http://192.88.99.1/',
  // decimal, octal, hexadecimal, short, mixed, padded
  'http://2130706433/',
  'http://3232235777/',
  'http://2852039166/',
  'http://017700000001/',
  'http://0177.0.0.1/',
  'http://0177.0.0.01/',
  'http://00000177.0.0.1/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0x7f.1/',
  'http://0x7F.0x0.0x0.0x1/',
  'http://127.1/',
  'http://127.0.1/',
  'http://10.1/',
  'http://192.168.257/',
  'http://0xa9fea9fe/',
  'http://169.254.43518/',
  // other digits, dots and escapes
  'http://１２７.0.0.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://127．0．0．1/',
  'http://%31%32%37.0.0.1/',
  'http://127.0.0.1./',
  'http://127.0.0.1%2e/',
  'http:127.0.0.1/',
  'http:\\\\127.0.0.1\\',
  ' http://127.0.0.1/ ',
  'http://127.0.\t0.1/',
  'HTTP://127.0.0.1/',
  // IPv6
  'http://[::1]/',
  'http://[::1]:8080/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[0000::0001]/',
  'http://[::]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::127.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:7f00:1::]/',
  'http://[fe80::1]/',
  'http://[fe80::1%25eth0]/',
  'http://[fec0::1]/',
  'http://[fc00::1]/',
  'http://[fd12:3456:789a::1]/',
  'http://[ff02::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[100::1]/',
  'http://[5f00::1]/',
  // names
  'http://localhost/',
  'http://LOCALHOST/',
  'http://localhost./',
  'http://ｌｏｃａｌｈｏｓｔ/',
  'http://api.localhost/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata.aws.internal/',
  'http://METADATA.GOOGLE.INTERNAL./',
  'http://anything.internal/',
  'http://printer.local/',
  'http://redis:6379/',
  // user-info tricks
  'http://example.com@127.0.0.1/',
  'http://example.com:80@127.0.0.1/',
  'http://example.com%40127.0.0.1/',
  'http://127.0.0.1#@example.com/',
  'http://127.0.0.1?@example.com/',
  'http://127.0.0.1\\@example.com/',
  'http://user:password@example.com/',
  'http://@127.0.0.1/',
  // other ways in
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_INFO',
  'ftp://example.com/',
  'data:text/html,hello',
  'javascript:alert(1)',
  'redis://127.0.0.1/',
  'http://example.com:22/',
  'http://example.com:25/',
  '//127.0.0.1/',
  'http://',
  'http://[::1/',
] as const;

test('at least 60 forms are tried', () => {
  expect(new Set(SPELLINGS).size).toBeGreaterThanOrEqual(100);
});

test.each(SPELLINGS)('%s is refused', async (url) => {
  const { status, body } = await strict.ask('POST', COLLECTIONS, { url });
  expect(status).toBe(422);
  expect(body).toEqual({
    detail: [{ field: 'url', msg: expect.stringMatching(/^Value error, /) }],
  });
});

test.each([
  ['loopback', ['127.0.0.1']],
  ['a cloud’s metadata', ['169.254.169.254']],
  ['a private network', ['10.1.2.3']],
  ['IPv6 loopback', ['::1']],
  ['mapped IPv4', ['::ffff:10.0.0.1']],
  ['a unique local address', ['fd00::1']],
  ['link-local with a zone', ['fe80::1%eth0']],
  ['NAT64 of a private address', ['64:ff9b::a00:1']],
  ['6to4', ['2002:a00:1::1']],
  ['Teredo', ['2001:0:a00:1::1']],
  ['nothing at all', ['0.0.0.0']],
  ['public first, private last', [PUBLIC, '10.0.0.1']],
  ['private first, public last', ['::1', PUBLIC]],
  ['what is no address', ['nonsense']],
])('a name that resolves to %s is refused', async (_, addresses) => {
  const host = newHost();
  zone.set(host, [addresses]);
  const { status, body } = await strict.ask('POST', COLLECTIONS, { url: `http://${host}/` });
  expect(status).toBe(422);
  expect(body.detail[0].msg).toContain('private');
});

test('an unknown name passes, and cannot be collected', async () => {
  const { status, body } = await strict.collect(`http://${newHost()}/`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('unresolvable'),
  });
});

test('a name that becomes private before compliance is checked is blocked', async () => {
  const host = newHost();
  zone.set(host, [[PUBLIC], ['127.0.0.1']]);
  const url = `http://${host}:${inside.port}/secret`;
  const { status, body, id } = await strict.collect(url);
  expect(status).toBe(403);
  expect(body.detail).toContain('private');
  expect((await strict.ask('GET', `${COLLECTIONS}/${id}/status`)).body.status).toBe('blocked');
});

test('a name that becomes private before it is collected is refused', async () => {
  const host = newHost();
  const open = ['127.0.0.1'];
  // asked when created, for compliance, for robots.txt; the fourth time for the page
  zone.set(host, [open, open, open, ['10.0.0.1']]);
  const { status, body } = await lenient.collect(`http://${host}:${outside.port}/page`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/private.*\(refused-address\)/),
  });
  expect(outside.requests.filter((it) => it.startsWith(host))).toEqual([`${host} /robots.txt`]);
});

test('a name is looked up once per request: what connects is what was checked', async () => {
  const host = newHost();
  const asked: string[] = [];
  const service = await startCollectorService({
    env: { COLLECTOR_ALLOW_ADDRESSES: `127.0.0.1:${outside.port}` },
    resolve: (name) => {
      asked.push(name);
      return Promise.resolve(['127.0.0.1']);
    },
  });
  outside.set('/once', { body: 'text' });
  const { body } = await service.collect(`http://${host}:${outside.port}/once`);
  await service.close();
  expect(body.status).toBe('completed');
  expect(asked).toEqual([host, host, host, host]);
});

/** Through the outside, which is allowed, to an address that is never allowed. */
async function redirected(target: string, hops = 0): Promise<any> {
  const host = newHost();
  zone.set(host, [['127.0.0.1']]);
  const way = Array.from({ length: hops }, (_, hop) => `/hop-${hop}`);
  ['/start', ...way].forEach((path, at) => {
    outside.set(path, redirectTo(way[at] ?? target));
  });
  return (await lenient.collect(`http://${host}:${outside.port}/start`)).body;
}

test.each([
  'http://127.0.0.1:INSIDE/secret',
  'http://2130706433:INSIDE/secret',
  'http://0x7f.1:INSIDE/secret',
  'http://[::ffff:127.0.0.1]:INSIDE/secret',
  'http://[::1]:INSIDE/secret',
  '//127.0.0.1:INSIDE/secret',
  'http://localhost:INSIDE/secret',
  'http://169.254.169.254/latest/meta-data/',
  'http://user:password@127.0.0.1:INSIDE/secret',
  'file:///etc/passwd',
  'http://example.com:22/',
])('a redirect to %s is not followed', async (target) => {
  const address = target.replace('INSIDE', String(inside.port));
  expect(await redirected(address)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('(refused-address)'),
  });
});

test('a chain of redirects is guarded to its end', async () => {
  expect(await redirected(`http://127.0.0.1:${inside.port}/secret`, 4)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('(refused-address)'),
  });
});

test('a redirect to a name that resolves to a private address is not followed', async () => {
  const rebound = newHost();
  zone.set(rebound, [['127.0.0.1']]);
  expect(await redirected(`http://${rebound}:${inside.port}/secret`)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('(refused-address)'),
  });
});

test('robots.txt cannot redirect to a private address', async () => {
  const host = newHost();
  zone.set(host, [['127.0.0.1']]);
  outside.set('/robots.txt', redirectTo(`http://127.0.0.1:${inside.port}/secret`));
  outside.set('/page', { body: 'text' });
  const { body, id } = await lenient.collect(`http://${host}:${outside.port}/page`);
  outside.set('/robots.txt', { status: 404 });
  expect(body.status).toBe('completed');
  const compliance = await lenient.ask('GET', `${COLLECTIONS}/${id}/compliance`);
  expect(compliance.body.robots_reason).toContain('private');
});

test('a socket that connects elsewhere is closed before anything is sent', async () => {
  const guard = createGuard({ resolve, allowed: [] });
  const elsewhere = createDial({
    guard,
    connect: () => connect(inside.port, '127.0.0.1'),
  });
  const url = new URL('http://example.com/');
  const dialling = elsewhere({ url, addresses: [PUBLIC] }, new AbortController().signal);
  await expect(dialling).rejects.toMatchObject({ code: 'refused-address' });
});

test('what an operator allows is read, and nothing next to it', async () => {
  const allowed = parseAllowedAddresses('wiki.corp:8080, 10.1.0.0/16:8080');
  const guard = createGuard({ resolve, allowed: Array.isArray(allowed) ? allowed : [] });
  const { signal } = new AbortController();
  zone.set('wiki.corp', [['192.168.0.7']]);
  const isOpen = (url: string) =>
    guard.locate(new URL(url), signal).then(
      () => true,
      () => false,
    );
  expect(await isOpen('http://wiki.corp:8080/')).toBe(true);
  expect(await isOpen('http://wiki.corp/')).toBe(false);
  expect(await isOpen('http://10.1.2.3:8080/')).toBe(true);
  expect(await isOpen('http://10.1.2.3:8081/')).toBe(false);
  expect(await isOpen('http://10.2.2.3:8080/')).toBe(false);
  expect(await isOpen('http://user:password@wiki.corp:8080/')).toBe(false);
});
