/** How a connection is refused that no route can answer, in the form of every error. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

type Headers = Readonly<Record<string, string>>;

/** How long a refused client may take to close its side. */
const LINGER_MS = 1_000;

interface Refusal {
  readonly status: number;
  /** In addition to those that describe the body. */
  readonly headers: Headers;
  /** Default: the status in words. */
  readonly detail?: string;
}

export function refuseConnection(socket: Duplex, refusal: Refusal): void {
  const impatience = setTimeout(() => {
    socket.destroy();
  }, LINGER_MS).unref();
  socket.once('close', () => {
    clearTimeout(impatience);
  });
  socket.end(textOf(refusal));
}

function textOf({ status, headers, detail }: Refusal): string {
  const reason = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ detail: detail ?? reason });
  const lines = Object.entries({
    ...headers,
    Connection: 'close',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, '', body].join('\r\n');
}
