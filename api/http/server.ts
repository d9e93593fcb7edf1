/** Node's HTTP server as the API needs it, for requests and for sockets. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  HTTP_LIMITS,
  limitConnections,
  serverOptionsOf,
  type HttpLimits,
} from '../../telemetry/http-limits.js';
import { refuseConnection } from './bare-refusal.js';

export interface ServerLimits extends HttpLimits {
  /** Of all headers of a request, its address included. Default: Node's own. */
  readonly maxHeaderBytes?: number;
}

/**
 * @param handle answers every request that Node can read
 * @param headers are on the answers to those that it cannot read, too
 */
export function createHttpServer(
  handle: RequestListener,
  headers: Readonly<Record<string, string>>,
  { maxHeaderBytes, ...limits }: ServerLimits = HTTP_LIMITS,
): Server {
  const answering = new WeakSet<Duplex>();
  const options = {
    ...serverOptionsOf(limits),
    ...(maxHeaderBytes === undefined ? {} : { maxHeaderSize: maxHeaderBytes }),
    shouldUpgradeCallback: isWebSocket,
  };
  const server = createServer(options, (request, response) => {
    answering.add(request.socket);
    response.once('close', () => answering.delete(request.socket));
    // before Node's own listener, after which no more events of an unread request come
    response.prependOnceListener('finish', () => {
      discardRest(request);
    });
    handle(request, response);
  });
  limitConnections(server, limits);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.writable && !answering.has(socket)) {
      refuseConnection(socket, { status: STATUS[error.code ?? ''] ?? 400, headers });
    } else {
      socket.destroy();
    }
  });
  return server;
}

/** A client that goes on sending what was refused is listened to for so long, and then cut off. */
const MAX_DISCARDED_BYTES = 32 * 1_048_576;

function discardRest(request: IncomingMessage): void {
  if (request.complete) {
    return;
  }
  let left = MAX_DISCARDED_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) {
      request.destroy();
    }
  });
  request.resume();
  request.read(0); // at once: from here on it counts as read
}

/** HTTP/2 offered by ordinary clients of HTTP (curl, Java) is passed over, as RFC 9110 §7.8 allows. */
function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Node's own choice of status; it would send no body. */
const STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
