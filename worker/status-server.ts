import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import {
  isFromPage,
  isLoopbackAddress,
  isLoopbackHost,
} from '../domain/security/loopback-hosts.js';
import { limitConnections, serverOptionsOf, STATUS_LIMITS } from '../telemetry/http-limits.js';
import type { Watchdog } from '../telemetry/watchdog.js';

export interface StatusDeps {
  readonly registry: Registry;
  /** Whether tasks are being taken: not before Temporal has answered, nor while draining. */
  isWorking(): boolean;
  /** Of the workflow thread; the main loop answers only while it is free itself. */
  readonly watchdog: Pick<Watchdog, 'isHeld' | 'isLost'>;
}

type Page = Readonly<{ status: number; type: string; body: string }>;

/**
 * A worker's only pages, for monitoring: `GET /metrics`, `/health` (it is alive), `/readyz`
 * (it takes tasks, and its workflow thread is not held).
 *
 * @returns the port it listens on
 */
export async function serveStatus(
  deps: StatusDeps,
  { host, port }: { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(serverOptionsOf(STATUS_LIMITS), (request, response) => {
    answerTo(deps, request, isLoopbackAddress(host)).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  limitConnections(server, STATUS_LIMITS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: portOf(server), close: () => closeServer(server) };
}

/** Asked by machines that watch it: never by a page in a browser, nor by another name than its own. */
async function answerTo(
  deps: StatusDeps,
  { method, url, headers }: IncomingMessage,
  isLoopback: boolean,
): Promise<Page> {
  if (isLoopback && !isLoopbackHost(headers.host ?? '')) {
    return jsonPage(421, { detail: 'This host is not served here' });
  }
  if (isFromPage({ origin: headers.origin, fetchSite: [headers['sec-fetch-site']].flat()[0] })) {
    return jsonPage(403, { detail: 'Pages may not ask a worker' });
  }
  return method === 'GET' || method === 'HEAD'
    ? pageOf(deps, url)
    : jsonPage(405, { detail: 'Method Not Allowed' });
}

async function pageOf(deps: StatusDeps, path = ''): Promise<Page> {
  const { registry, watchdog } = deps;
  switch (path) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    case '/health':
      return watchdog.isLost()
        ? jsonPage(503, { detail: 'The workflow thread is held' })
        : jsonPage(200, { status: 'healthy' });
    case '/readyz':
      return readyPage(deps);
    default:
      return jsonPage(404, { detail: 'Not found' });
  }
}

function readyPage({ isWorking, watchdog }: StatusDeps): Page {
  if (!isWorking()) {
    return jsonPage(503, { detail: 'Not ready: no tasks are taken' });
  }
  return watchdog.isHeld()
    ? jsonPage(503, { detail: 'Not ready: the workflow thread is held' })
    : jsonPage(200, { status: 'ready' });
}

function jsonPage(status: number, body: object): Page {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
