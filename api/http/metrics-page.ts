/** What the API tells Prometheus: on a port of its own, and on the public one to this machine. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import {
  isFromPage,
  isLoopbackAddress,
  isLoopbackHost,
} from '../../domain/security/loopback-hosts.js';
import type { Logger } from '../../telemetry/logger.js';
import { appendPage, type Metrics } from '../../telemetry/metrics.js';
import { limitConnections, serverOptionsOf, STATUS_LIMITS } from '../../telemetry/http-limits.js';

export interface MetricsPageDeps {
  readonly metrics: Metrics;
  readonly workerMetricsUrl: string | null;
  readonly logger: Logger;
}

/** The process's own numbers, with the worker's where it is known. */
export async function readMetricsPage(
  deps: MetricsPageDeps,
): Promise<{ readonly type: string; readonly text: string }> {
  const { registry } = deps.metrics;
  const own = await registry.metrics();
  return { type: registry.contentType, text: appendPage(own, await readWorkerPage(deps)) };
}

const WORKER_PAGE_LIMIT_MS = 1_000;

/** The worker's page, or nothing while it is away. */
async function readWorkerPage({ workerMetricsUrl, logger }: MetricsPageDeps): Promise<string> {
  if (workerMetricsUrl === null) {
    return '';
  }
  try {
    const signal = AbortSignal.timeout(WORKER_PAGE_LIMIT_MS);
    const page = await fetch(workerMetricsUrl, { signal });
    return page.ok ? await page.text() : '';
  } catch (error) {
    logger.debug('worker metrics unavailable', { error });
    return '';
  }
}

/**
 * Whether a request comes from this machine, and not through a proxy on it.
 *
 * @param header of the request, '' where it is absent
 */
export function isFromThisMachine(clientIp: string, header: (name: string) => string): boolean {
  const isLoopback = /^(::ffff:)?127\.|^::1$/.test(clientIp);
  return isLoopback && FORWARDING_HEADERS.every((name) => header(name) === '');
}

/** What proxies add. */
const FORWARDING_HEADERS = ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via'];

/** Never for a page in a browser, also where another name leads to this machine. */
function isForPrograms(headers: IncomingHttpHeaders, listensOn: string): boolean {
  const fetchSite = [headers['sec-fetch-site']].flat()[0];
  return (
    !isFromPage({ origin: headers.origin, fetchSite }) &&
    (!isLoopbackAddress(listensOn) || isLoopbackHost(headers.host ?? ''))
  );
}

/**
 * `GET /metrics` on a port of its own, which is not for the public.
 *
 * @returns the port it listens on
 */
export async function serveMetrics(
  deps: MetricsPageDeps,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(serverOptionsOf(STATUS_LIMITS), (request, response) => {
    if (!isForPrograms(request.headers, host)) {
      response.writeHead(403).end();
      return;
    }
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    readMetricsPage(deps).then(
      ({ type, text }) => response.writeHead(200, { 'content-type': type }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  limitConnections(server, STATUS_LIMITS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
