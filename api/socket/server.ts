/**
 * The chat channel: `/api/v1/ws/chat/{conversation id}`. It decides nothing that must survive a
 * crash: messages go to the discussion's workflow, events come from PostgreSQL.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type Server, type WebSocket } from 'ws';
import { isUuid } from '../../domain/ids.js';
import { MESSAGE_TIMEOUT_MS } from '../../temporal/client/timeouts.js';
import { refuseConnection } from '../http/bare-refusal.js';
import {
  isAllowedHost,
  isAllowedPage,
  type HostConfig,
  type OriginConfig,
} from '../http/middleware/origin.js';
import {
  admit,
  type AdmissionDeps,
  type Admitted,
  type ChatPath,
  type RefusalReason,
  type Refused,
} from './admission.js';
import { ChatSocket } from './chat-socket.js';
import {
  openConnection,
  type Connection,
  type ConnectionDeps,
  type ConnectionLimits,
} from './connection.js';
import { withDeadline } from './deadline.js';
import { viewGatewayError } from './protocol.js';

export interface SocketServerDeps
  extends
    AdmissionDeps,
    Pick<ConnectionDeps, 'eventSubscriptions' | 'sendMessage' | 'takeToken' | 'watch' | 'tracing'> {
  readonly limits?: Partial<SocketLimits>;
  /** Under which names it is reached, and from pages of which origins. */
  readonly config: OriginConfig & HostConfig;
  /** On the answer to an upgrade that leads to no socket, as on every other. */
  readonly headers: Readonly<Record<string, string>>;
  readonly metrics: {
    connectionOpened(): void;
    connectionClosed(): void;
    connectionRefused(reason: RefusalReason | UpgradeProblem): void;
  };
}

export interface SocketLimits extends ConnectionLimits {
  readonly heartbeatMs: number;
}

export const SOCKET_DEFAULTS: SocketLimits = {
  sendTimeoutMs: MESSAGE_TIMEOUT_MS,
  maxQueuedMessages: 100,
  maxBufferedBytes: 1_048_576,
  heartbeatMs: 30_000,
  closeTimeoutMs: 2_000,
};

export interface SocketServer {
  /** For the `upgrade` event of the HTTP server. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes all sockets (1001) when what came over them is dealt with. */
  close(): Promise<void>;
}

/** Source: contract, websocket §1: the cap at the protocol layer. */
const MAX_FRAME_BYTES = 1_048_576;

/** Source: RFC 6455 §4.4: told to a client whose handshake cannot be used. */
const SPOKEN_VERSION = { 'Sec-WebSocket-Version': '13' };

export function createSocketServer(deps: SocketServerDeps): SocketServer {
  const limits = { ...SOCKET_DEFAULTS, ...deps.limits };
  const report = createReport(deps);
  const server = createProtocol(deps.headers, report);
  const { refuse, refuseUpgrade } = createRefusals(server, deps, report);
  const connections = new Set<Connection>();
  let isClosing = false;
  const isGoingAway = (): boolean => isClosing;

  function open(socket: ChatSocket, admitted: Admitted): void {
    const connection = openConnection(socket, admitted, { ...deps, limits });
    connections.add(connection);
    deps.metrics.connectionOpened();
    socket.on('close', () => {
      deps.metrics.connectionClosed();
    });
    void connection.ended.then(() => connections.delete(connection));
  }

  async function accept(upgrade: Upgrade): Promise<void> {
    const path = chatPathOf(upgrade.request.url);
    const problem =
      problemOf(upgrade.request, deps.config) ?? (isGoingAway() ? 'going-away' : null);
    if (path === null || problem !== null) {
      refuseUpgrade(upgrade, problem ?? 'unknown-address');
      return;
    }
    const admission = await admit(deps, path);
    if (admission.kind === 'refused') {
      refuse(upgrade, path, admission);
      return;
    }
    const socket = isGoingAway() ? null : completeUpgrade(server, upgrade);
    if (socket !== null) {
      open(socket, admission);
      return;
    }
    await admission.lease.release();
    if (isGoingAway()) {
      refuseUpgrade(upgrade, 'going-away');
    }
  }

  const heartbeat = startHeartbeat(connections, limits.heartbeatMs);

  return {
    handleUpgrade(request, socket, head) {
      socket.on('error', () => {
        socket.destroy();
      });
      accept({ request, socket, head }).catch((error: unknown) => {
        deps.logger.error('upgrade failed', { error });
        socket.destroy();
      });
    },
    async close() {
      isClosing = true;
      clearInterval(heartbeat);
      await endAll([...connections], limits.closeTimeoutMs);
      server.close();
    },
  };
}

function createRefusals(server: Protocol, deps: SocketServerDeps, report: Report) {
  const { headers } = deps;
  const { closeTimeoutMs } = { ...SOCKET_DEFAULTS, ...deps.limits };
  return {
    refuseUpgrade({ socket }: Upgrade, problem: UpgradeProblem): void {
      report(problem);
      refuseConnection(socket, { status: UPGRADE_PROBLEMS[problem], headers });
    },
    /**
     * A client that asks for `events` is accepted, because a page sees nothing of an answer to its
     * upgrade. Others would take an open socket for success and come back at once, for ever.
     * Source: contract, decision 19.
     */
    refuse(upgrade: Upgrade, path: ChatPath, refused: Refused): void {
      report(refused.why, path.id);
      if (path.query.has('events')) {
        const socket = completeUpgrade(server, upgrade);
        socket?.send(viewGatewayError(refused.reason, new Date(), refused.code));
        closeRefused(socket, refused, closeTimeoutMs);
      } else {
        refuseConnection(upgrade.socket, { status: 403, headers, detail: refused.reason });
      }
    },
  };
}

/** What is wrong with an upgrade before its address is read, and its HTTP status. */
const UPGRADE_PROBLEMS = {
  'bad-handshake': 400,
  'foreign-page': 403,
  'unknown-address': 404,
  'wrong-host': 421,
  'going-away': 503,
} as const;
type UpgradeProblem = keyof typeof UPGRADE_PROBLEMS;

function problemOf(
  request: IncomingMessage,
  config: OriginConfig & HostConfig,
): UpgradeProblem | null {
  if (!isAllowedHost(request, config)) {
    return 'wrong-host';
  }
  return isAllowedPage(request, config) ? null : 'foreign-page';
}

type Report = (reason: RefusalReason | UpgradeProblem, conversationId?: string) => void;

function createReport({ logger, metrics }: SocketServerDeps): Report {
  return (reason, id = '') => {
    logger.info('socket refused', { reason, ...(isUuid(id) ? { conversationId: id } : {}) });
    metrics.connectionRefused(reason);
  };
}

type Protocol = Server<typeof ChatSocket>;

function createProtocol(headers: SocketServerDeps['headers'], report: Report): Protocol {
  const server = new WebSocketServer({
    WebSocket: ChatSocket,
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    clientTracking: false,
  });
  server.on('wsClientError', (_error, socket) => {
    report('bad-handshake');
    const status = UPGRADE_PROBLEMS['bad-handshake'];
    refuseConnection(socket, { status, headers: { ...headers, ...SPOKEN_VERSION } });
  });
  return server;
}

function startHeartbeat(connections: ReadonlySet<Connection>, everyMs: number): NodeJS.Timeout {
  return setInterval(() => {
    connections.forEach((connection) => {
      connection.beat();
    });
  }, everyMs).unref();
}

/** How long messages are still offered to Temporal after the last socket has closed. */
const DRAIN_MS = 10_000;

async function endAll(connections: readonly Connection[], timeoutMs: number): Promise<void> {
  for (const connection of connections) {
    connection.close(GOING_AWAY.code, GOING_AWAY.reason);
  }
  const impatience = setTimeout(() => {
    connections.forEach((connection) => {
      connection.terminate();
    });
  }, timeoutMs);
  const drained = Promise.all(connections.map(({ ended }) => ended));
  await withDeadline(drained, timeoutMs + DRAIN_MS).catch(() => undefined);
  clearTimeout(impatience);
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** @returns null if the client has gone meanwhile, or does not speak the protocol */
function completeUpgrade(server: Protocol, upgrade: Upgrade): ChatSocket | null {
  const accepted: ChatSocket[] = [];
  server.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, (socket) => {
    accepted.push(socket); // called at once, or never
  });
  return accepted[0] ?? null;
}

/** Source: RFC 6455 §7.4.1 */
const GOING_AWAY = { code: 1001, reason: 'server is going away' };

/** With a code of its own, so that a client can tell "log in again" from "try later". */
function closeRefused(
  socket: WebSocket | null,
  { code, reason }: { readonly code: number; readonly reason: string },
  timeoutMs: number,
): void {
  if (socket === null) {
    return;
  }
  const impatience = setTimeout(() => {
    socket.terminate();
  }, timeoutMs);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(impatience);
  });
  socket.close(code, reason);
}

const CHAT_PATH = /^\/api\/v1\/ws\/chat\/([^/]+)\/?$/;

/** @returns null for an address that is not the chat channel's */
function chatPathOf(url = '/'): ChatPath | null {
  const [path = '', query = ''] = url.split('?', 2);
  const id = CHAT_PATH.exec(path)?.[1];
  return id === undefined ? null : { id, query: new URLSearchParams(query) };
}
