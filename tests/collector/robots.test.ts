/** robots.txt as the crawler AgentForgeBot reads it. */
import type { Reader } from '../../collector/reader.js';
import { CrawlFailed } from '../../collector/crawl-failed.js';
import {
  newHost,
  startCollectorService,
  type CollectorService,
} from '../support/collector-service.js';
import { redirectTo, startPages, type Page, type Pages } from '../support/pages.js';

let service: CollectorService;
let pages: Pages;

beforeAll(async () => {
  [service, pages] = await Promise.all([startCollectorService(), startPages()]);
  pages.set('/page', { body: 'text' });
});
afterAll(() => Promise.all([service.close(), pages.close()]));

async function complianceOf(
  robots: Page,
  { path = '/page', host = newHost(), at = service } = {},
): Promise<any> {
  pages.set('/robots.txt', robots);
  const url = `http://${host}:${pages.port}${path}`;
  const { id } = (await at.ask('POST', '/api/v1/collections', { url })).body;
  return (await at.ask('GET', `/api/v1/collections/${id}/compliance`)).body;
}

const rules = (body: string): Page => ({ type: 'text/plain', body });

test.each(['utf16le', 'utf-8'] as const)('rules in %s are read', async (encoding) => {
  const body = Buffer.from('\uFEFFUser-agent: *\nDisallow: /page', encoding);
  const { robots_allowed: isAllowed } = await complianceOf({ type: 'text/plain', body });
  expect(isAllowed).toBe(false);
});

test.each([
  ['nothing', '', '/page', true],
  ['everybody off everything', 'User-agent: *\nDisallow: /', '/page', false],
  ['others off', 'User-agent: OtherBot\nDisallow: /', '/page', true],
  ['us off', 'User-agent: agentforgebot\nDisallow: /', '/page', false],
  ['us on', 'User-agent: *\nDisallow: /\n\nUser-agent: AgentForgeBot\nAllow: /', '/page', true],
  ['a longer rule', 'User-agent: *\nDisallow: /a\nAllow: /a/b', '/a/b/c', true],
  ['a pattern', 'User-agent: *\nDisallow: /*.pdf$', '/x/file.pdf', false],
  ['a query', 'User-agent: *\nDisallow: /*?session=', '/page?session=1', false],
  ['a byte order mark', '\uFEFFUser-agent: *\nDisallow: /', '/page', false],
  ['Windows lines', 'User-agent: *\r\nDisallow: /\r\n', '/page', false],
  ['nonsense', '<html>not found</html>', '/page', true],
])('rules with %s', async (_, body, path, isAllowed) => {
  const compliance = await complianceOf(rules(body), { path });
  expect(compliance).toMatchObject({
    status: isAllowed ? 'allowed' : 'blocked',
    robots_allowed: isAllowed,
  });
});

test.each<[string, Page]>([
  ['404', { status: 404 }],
  ['403', { status: 403 }],
  ['500', { status: 500 }],
  ['a hang-up', (request) => request.socket.destroy()],
  ['a loop', redirectTo('/robots.txt')],
])('%s means allowed, and says so', async (_, robots) => {
  expect(await complianceOf(robots)).toMatchObject({
    status: 'allowed',
    robots_reason: expect.stringMatching(/^no robots\.txt \(.+\), so allowed$/),
  });
});

test('rules behind a redirect hold for the host that was asked', async () => {
  pages.set('/elsewhere', rules('User-agent: *\nDisallow: /page'));
  expect((await complianceOf(redirectTo('/elsewhere'))).status).toBe('blocked');
});

test('only the first 500 KiB of rules are read', async () => {
  const padding = `# ${'x'.repeat(98)}\n`.repeat(5_200); // 520 KiB
  const early = `User-agent: *\nDisallow: /page\n${padding}`;
  const late = `${padding}User-agent: *\nDisallow: /page\n`;
  expect((await complianceOf(rules(early))).status).toBe('blocked');
  expect((await complianceOf(rules(late))).status).toBe('allowed');
});

test.each([
  ['1', 0, 1],
  ['3.5', 0, 3.5],
  ['600', 0, 10],
  ['1', 2, 2],
  ['-5', 2, 2],
  ['soon', 2, 2],
])('a crawl delay of %s where ours is %i s means %d s', async (asked, own, seconds) => {
  const at = await startCollectorService({ env: { COLLECTOR_DELAY_SECONDS: String(own) } });
  const body = `User-agent: *\nCrawl-delay: ${asked}\nDisallow: /x`;
  const compliance = await complianceOf(rules(body), { at });
  await at.close();
  expect(compliance.rate_limit_seconds).toBe(seconds);
});

test('rules are asked for once, and trouble again soon', async () => {
  const host = newHost();
  const asked = () => pages.requests.filter((it) => it === `${host} /robots.txt`).length;
  await complianceOf(rules('User-agent: *\nDisallow: /x'), { host });
  await complianceOf(rules('User-agent: *\nDisallow: /'), { host });
  expect(asked()).toBe(1);
});

test('rules that cannot be understood in time mean allowed', async () => {
  const decideRobots: Reader['decideRobots'] = () =>
    Promise.reject(new CrawlFailed('unreadable', 'too many rules'));
  const readPage: Reader['readPage'] = () => Promise.reject(new Error('never asked'));
  const at = await startCollectorService({ reader: { decideRobots, readPage } });
  const compliance = await complianceOf(rules('User-agent: *\nDisallow: /'), { at });
  await at.close();
  expect(compliance).toMatchObject({
    status: 'allowed',
    robots_reason: 'robots.txt cannot be read, so allowed',
  });
});
