import { request, type OutgoingHttpHeaders } from 'node:http';
import { isFromThisMachine, serveMetrics } from '../../../api/http/metrics-page.js';
import { silentLogger } from '../../../telemetry/logger.js';
import { createMetrics } from '../../../telemetry/metrics.js';

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['203.0.113.7', false],
  ['10.0.0.1', false],
  ['172.18.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['1.127.0.0', false],
  ['', false],
])('%s is this machine: %s', (address, isThis) => {
  expect(isFromThisMachine(address, () => '')).toBe(isThis);
});

test('the port of metrics shows them, and nothing else', async () => {
  const deps = { metrics: createMetrics(), workerMetricsUrl: null, logger: silentLogger };
  const server = await serveMetrics(deps, { host: '127.0.0.1', port: 0 });
  const at = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, init);
  const page = await at('/metrics');
  expect(page.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await page.text()).toContain('websocket_connections_active');
  expect((await at('/')).status).toBe(404);
  expect((await at('/api/v1/health')).status).toBe(404);
  expect((await at('/metrics', { method: 'POST' })).status).toBe(404);
  await server.close();
});

test('no page of a browser is shown them, nor another name that leads here', async () => {
  const deps = { metrics: createMetrics(), workerMetricsUrl: null, logger: silentLogger };
  const server = await serveMetrics(deps, { host: '127.0.0.1', port: 0 });
  const { port } = server;
  const statusFor = (headers: OutgoingHttpHeaders) =>
    new Promise<number | undefined>((resolve, reject) => {
      const at = { host: '127.0.0.1', port, path: '/metrics', headers };
      request(at, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });
  const named = await statusFor({ Host: `localhost:${port}` });
  const hostile = [
    { Host: `evil.example:${port}` },
    { Host: '127.0.0.1.evil.example' },
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
    { 'Sec-Fetch-Site': 'cross-site' },
  ];
  const statuses = await Promise.all(hostile.map(statusFor));
  await server.close();
  expect([named, ...statuses]).toEqual([200, 403, 403, 403, 403, 403]);
});
