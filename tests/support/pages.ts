/** Web pages on this machine, for collectors to read. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PageAnswer {
  readonly status?: number;
  /** Default: an HTML page in UTF-8; null: no content type at all. */
  readonly type?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Answers, or writes the response itself. */
export type Page = PageAnswer | ((request: IncomingMessage, response: ServerResponse) => void);

export interface Pages {
  readonly port: number;
  /** `host path` in order of arrival. */
  readonly requests: readonly string[];
  readonly lastRequest: () => IncomingMessage | undefined;
  /** Sets what a path answers from now on; without one it is 404. */
  set(path: string, page: Page): void;
  /** Holds the path's answer until it is opened. */
  hold(path: string, page: PageAnswer): { open(): void };
  close(): Promise<void>;
}

export async function startPages(): Promise<Pages> {
  const pages = new Map<string, Page>();
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const page = pages.get((request.url ?? '').split('?')[0] ?? '') ?? { status: 404 };
    if (typeof page === 'function') {
      page(request, response);
    } else {
      send(response, page);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get requests() {
      return requests.map(({ headers, url }) => `${headers.host?.split(':')[0] ?? ''} ${url}`);
    },
    lastRequest: () => requests.at(-1),
    set: (path, page) => void pages.set(path, page),
    hold(path, page) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      pages.set(path, (_, response) => {
        void promise.then(() => {
          send(response, page);
        });
      });
      return {
        open: () => {
          resolve(undefined);
        },
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, page: PageAnswer): void {
  const { status = 200, type = 'text/html; charset=utf-8', headers = {}, body = '' } = page;
  response.writeHead(status, { ...(type === null ? {} : { 'content-type': type }), ...headers });
  response.end(body);
}

export function redirectTo(location: string, status = 302): PageAnswer {
  return { status, headers: { location } };
}
