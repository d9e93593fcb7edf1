/** Who may read a worker's page. */
import { request } from 'node:http';
import { createRegistry } from '../../telemetry/metrics.js';
import { serveStatus } from '../../worker/status-server.js';

let page: Awaited<ReturnType<typeof serveStatus>>;
beforeAll(async () => {
  const watchdog = { isHeld: () => false, isLost: () => false };
  const deps = { registry: createRegistry(), isWorking: () => true, watchdog };
  page = await serveStatus(deps, { host: '127.0.0.1', port: 0 });
});
afterAll(() => page.close());

async function statusOf(
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = { host: '127.0.0.1', port: page.port, path, method, headers };
  const asked = request(sent, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  asked.once('error', reject).end();
  return promise;
}

test.each(['/metrics', '/health', '/readyz'])('%s is readable for monitoring', async (path) => {
  expect(await statusOf(path)).toBe(200);
  expect(await statusOf(path, { method: 'HEAD' })).toBe(200);
  expect(await statusOf(path, { headers: { host: 'localhost:9464' } })).toBe(200);
});

test.each(['/metrics', '/health', '/readyz'])(
  '%s is refused to pages in a browser, and under any name but its own',
  async (path) => {
    expect(await statusOf(path, { headers: { host: 'evil.example' } })).toBe(421);
    expect(await statusOf(path, { headers: { host: 'evil.example:9464' } })).toBe(421);
    expect(await statusOf(path, { headers: { origin: 'https://evil.example' } })).toBe(403);
    expect(await statusOf(path, { headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403);
    expect(await statusOf(path, { method: 'POST' })).toBe(405);
  },
);
