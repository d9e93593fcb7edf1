import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectorAnswer {
  readonly status?: number;
  /** JSON, or a string sent as it is. */
  readonly body?: unknown;
  /** Accepts the request and never answers. */
  readonly silent?: boolean;
  /** Ends the connection without an answer. */
  readonly hangsUp?: boolean;
  readonly retryAfter?: string;
}

/** `POST `, `GET compliance`, `POST collect`, `GET data` → what to answer the n-th time. */
export type CollectorScript = Readonly<
  Partial<Record<string, (time: number, url: string) => CollectorAnswer>>
>;

const ALLOWED: CollectorScript = {
  'POST ': () => ({ status: 201, body: { id: 'c/1', status: 'pending' } }),
  'GET compliance': () => ({ body: { status: 'allowed', robots_allowed: true } }),
  'POST collect': () => ({ body: { status: 'completed', error: null } }),
  'GET data': () => ({
    body: { data: [{ content: 'first', index: 0 }, { content: 'second' }], total_items: 2 },
  }),
};

export interface CollectorStandIn {
  readonly baseUrl: string;
  /** `POST `, `GET compliance` … in order of arrival. */
  readonly calls: readonly string[];
  /** Of each call. */
  readonly headers: readonly IncomingHttpHeaders[];
  /** What each call has sent, where it has sent anything. */
  readonly bodies: readonly unknown[];
  readonly close: () => Promise<void>;
}

/** A data collector that answers as scripted; unscripted calls succeed. */
export async function startCollector(script: CollectorScript = {}): Promise<CollectorStandIn> {
  const calls: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const bodies: unknown[] = [];
  let url = '';
  const answer = (request: IncomingMessage, body: string, response: ServerResponse) => {
    const [, last = ''] = /collections\/c%2F1\/(\w+)$/.exec(request.url ?? '') ?? [];
    const call = `${request.method ?? ''} ${last}`;
    calls.push(call);
    headers.push(request.headers);
    if (body !== '') {
      bodies.push(JSON.parse(body));
    }
    url = body === '' ? url : (JSON.parse(body) as { url: string }).url;
    const time = calls.filter((it) => it === call).length;
    send(response, (script[call] ?? ALLOWED[call])?.(time, url) ?? { status: 404 });
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      answer(request, body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${String(port)}`,
    calls,
    headers,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function send(
  response: ServerResponse,
  { status = 200, body = {}, silent, hangsUp, retryAfter }: CollectorAnswer,
): void {
  if (hangsUp === true) {
    response.destroy();
  } else if (silent !== true) {
    const wait = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    response.writeHead(status, { 'content-type': 'application/json', ...wait });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }
}
