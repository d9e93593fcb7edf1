import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface HttpLimits {
  /** Connections at the same time; more of them are closed at once. */
  readonly maxConnections: number;
  /** How long a client may take for the head of a request. */
  readonly headersTimeoutMs: number;
  /** How long it may take for the whole of a request. */
  readonly requestTimeoutMs: number;
  /** How long it may take nothing of an answer that waits for it. */
  readonly stalledTimeoutMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  maxConnections: 5_000,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 120_000,
  stalledTimeoutMs: 30_000,
};

/** Of servers that a few machines ask, for pages without bodies. */
export const STATUS_LIMITS: HttpLimits = { ...HTTP_LIMITS, maxConnections: 100 };

/** How often the time of heads and requests is looked at. */
const CHECK_MS = 5_000;
const KEEP_ALIVE_PROBE_MS = 30_000;

/** Options of `http.createServer` without which a client could send for ever, or vanish unseen. */
export function serverOptionsOf(limits: HttpLimits) {
  return {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersTimeoutMs),
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
  };
}

/**
 * Ends connections that nothing comes of: too many of them, and those whose client reads nothing of
 * what was written to it. A request that takes long to answer is waited for, as nothing was written.
 */
export function limitConnections(server: Server, limits: HttpLimits): void {
  const answering = new WeakSet<Socket>();
  server.maxConnections = limits.maxConnections;
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.setTimeout(limits.stalledTimeoutMs, (socket) => {
    if (!answering.has(socket) || socket.writableLength > 0) {
      socket.destroy();
    }
  });
}
