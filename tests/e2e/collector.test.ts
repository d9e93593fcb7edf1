/** Collector agents of the built product over the real data collector, which reads real pages. */
import { findFreePort } from '../../scripts/embedded/ports.js';
import { startPages, type Pages } from '../support/pages.js';
import { register, type Person } from '../support/person.js';
import { startProcess, startProduct, type Product } from '../support/product.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';

let product: Product;
let pages: Pages;
let collectorUrl: string;
let person: Person;

beforeAll(async () => {
  pages = await startPages();
  const port = await findFreePort();
  collectorUrl = `http://127.0.0.1:${port}`;
  product = await startProduct({
    env: {
      DATA_COLLECTOR_URL: collectorUrl,
      COLLECTOR_PORT: String(port),
      COLLECTOR_ALLOW_ADDRESSES: `127.0.0.1:${pages.port}`,
      COLLECTOR_DELAY_SECONDS: '0',
    },
  });
  await product.startCollector();
  await isReady();
  pages.set('/robots.txt', {
    type: 'text/plain',
    body: 'User-agent: AgentForgeBot\nDisallow: /closed',
  });
  pages.set('/reviews', {
    body: '<title>Reviews</title><h1>Reviews</h1><p>The app is fast. 010-1234-5678',
  });
});
beforeEach(async () => {
  person = await register(product.url); // whose runs of today are not counted yet
});
afterAll(async () => {
  await product.stop();
  await pages.close();
});

async function isReady(): Promise<void> {
  await until('the collector is ready', () =>
    fetch(`${collectorUrl}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
}

const pageUrl = (path: string) => `http://127.0.0.1:${pages.port}${path}`;

/** A run of a collector and of an agent that works with what it found. */
function run(description: string, retryCount = 1) {
  const agents = [
    { name: 'finder', role: 'collector', description, retry_count: retryCount },
    { name: 'writer', role: 'reporter', description: 'writes' },
  ].map((agent) => ({ ...agent, llm_model: 'gpt-4o-mini' }));
  const design = { name: 'A design', description: 'Something to do', agents };
  return person.ask('POST', '/pipelines/execute', { design });
}

test('what is found on several pages reaches the other agents, masked, and costs nothing', async () => {
  const answer = await run(`reads ${pageUrl('/reviews')} and ${pageUrl('/closed')}`);
  expect(answer).toMatchObject({ status: 200, body: { status: 'completed' } });
  const [finder] = answer.body.result.agent_results;
  expect(finder).toMatchObject({ status: 'success', tokens_used: 0, cost_estimate: 0 });
  expect(finder.content).toContain(`1 item(s) from ${pageUrl('/reviews')}`);
  expect(finder.content).toContain('The app is fast. [PHONE]');
  expect(finder.content).toMatch(/closed: collection blocked: disallowed by robots\.txt/);
  expect(finder.content).not.toContain('010-1234');
});

test('the collector’s log names the request that has caused its work', async () => {
  const answer = await run(`reads ${pageUrl('/reviews')}`);
  const requestId = answer.headers.get('x-request-id') ?? 'none';
  const collector = product.collectors.at(-1);
  const ended = () => collector?.lines.find((line) => line.includes('collection ended'));
  expect(await until('a line', ended)).toBeDefined();
  expect(collector?.lines.some((line) => line.includes(requestId))).toBe(true);
  expect(collector?.lines.join()).not.toContain('/reviews'); // addresses may hold secrets
});

test.each<[string, string, RegExp]>([
  ['a page that is not there', '/nothing', /collection failed: .*HTTP status 404 \(page-status\)/],
  ['a page that is closed', '/closed/page', /collection blocked: disallowed by robots\.txt/],
  ['a redirect inside', '/inside', /collection blocked: the address is private/],
  ['a picture', '/picture', /collection failed: image\/png is not collected/],
  ['a page of scripts', '/scripts', /collection failed: the page holds no text/],
])('%s fails the agent, and not the run', async (_, path, error) => {
  pages.set('/inside', { status: 302, headers: { location: 'http://169.254.169.254/latest' } });
  pages.set('/picture', { type: 'image/png', body: 'PNG' });
  pages.set('/scripts', { body: '<script>document.write("text")</script>' });
  const { body } = await run(`reads ${pageUrl(path)}`);
  expect(body.status).toBe('partial');
  expect(body.result.agent_results[0]).toMatchObject({ status: 'failed', content: '' });
  expect(body.result.agent_results[0].error).toMatch(error);
  expect(body.result.agent_results[1]).toMatchObject({ status: 'success' });
});

test('a private address that is not allowed is blocked', async () => {
  const { body } = await run(`reads http://127.0.0.1:${new URL(product.url).port}/metrics`);
  expect(body.result.agent_results[0].error).toMatch(/blocked: private address/);
});

test('a collector that is killed and comes back is asked again', async () => {
  const hold = pages.hold('/held', { body: 'found at last' });
  const running = run(`reads ${pageUrl('/held')}`, 3);
  await until('the page is asked', () => pages.requests.some((it) => it.endsWith('/held')));
  await product.collectors.at(-1)?.kill();
  hold.open();
  await product.startCollector();
  await isReady();
  const { body } = await running;
  expect(body.status).toBe('completed');
  expect(body.result.agent_results[0].content).toContain('found at last');
});

test('a collector that is killed for good leaves a plan, and nothing stuck', async () => {
  pages.hold('/lost', { body: 'never seen' });
  const running = run(`reads ${pageUrl('/lost')}`);
  await until('the page is asked', () => pages.requests.some((it) => it.endsWith('/lost')));
  await product.collectors.at(-1)?.kill();
  const { body } = await running;
  expect(body.status).toBe('completed');
  expect(body.result.agent_results[0]).toMatchObject({ status: 'success' });
  expect(body.result.agent_results[0].content).toContain('no data was collected');
  const next = await run(`reads ${pageUrl('/reviews')}`);
  expect(next.body.result.agent_results[0].content).toContain('no data was collected');
  await product.startCollector();
  await isReady();
});

test('a collector that is stopped lets what is under way end', async () => {
  const hold = pages.hold('/draining', { body: 'in time' });
  const post = async (path: string, body?: object) => {
    const response = await fetch(`${collectorUrl}/api/v1/collections${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const { id } = await post('', { url: pageUrl('/draining') });
  await post(`/${String(id)}/compliance`);
  const collecting = post(`/${String(id)}/collect`);
  await until('the page is asked', () => pages.requests.some((it) => it.endsWith('/draining')));
  const stopped = product.collectors.at(-1)?.stop();
  await product.collectors.at(-1)?.sees('collector stopping');
  await expect(post('', {})).rejects.toThrow();
  hold.open();
  expect(await collecting).toMatchObject({ status: 'completed' });
  expect(await stopped).toBe(0);
});

test('a taken port and a missing address are reported with their cure', async () => {
  const { PATH = '' } = process.env;
  const REDIS_URL = testServers().redisUrl;
  const taken = startProcess('collector/main.js', {
    PATH,
    REDIS_URL,
    COLLECTOR_PORT: String(pages.port),
  });
  expect(await taken.ended()).toBe(1);
  expect(taken.lines.join('\n')).toContain(
    `Port ${pages.port} is in use: set COLLECTOR_PORT to a free port.`,
  );
  const aimless = startProcess('collector/main.js', { PATH });
  expect(await aimless.ended()).toBe(1);
  expect(aimless.lines.join('\n')).toContain('REDIS_URL');
});
