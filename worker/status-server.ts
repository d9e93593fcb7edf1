import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface StatusDeps {
  readonly registry: Registry;
  /** Whether tasks are being taken: not before Temporal has answered, nor while draining. */
  isWorking(): boolean;
}

type Page = Readonly<{ status: number; type: string; body: string }>;

/**
 * A worker's only door, for those who watch it: `GET /metrics`, `/health` (it is alive), `/readyz`
 * (it takes tasks).
 *
 * @returns the port it listens on
 */
export async function serveStatus(
  deps: StatusDeps,
  { host, port }: { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    pageOf(deps, request.url).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: portOf(server), close: () => closeServer(server) };
}

async function pageOf({ registry, isWorking }: StatusDeps, path = ''): Promise<Page> {
  switch (path) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    case '/health':
      return jsonPage(200, { status: 'healthy' });
    case '/readyz':
      return isWorking()
        ? jsonPage(200, { status: 'ready' })
        : jsonPage(503, { detail: 'Not ready: no tasks are taken' });
    default:
      return jsonPage(404, { detail: 'Not found' });
  }
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
