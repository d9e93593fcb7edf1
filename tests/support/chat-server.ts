/** A gateway on a free port, with real PostgreSQL and Redis and a stand-in for the discussions. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { securityHeadersOf } from '../../api/http/middleware/headers.js';
import type { Redis } from 'ioredis';
import { createCredentialWatch } from '../../api/auth/credential-watch.js';
import { createEventSubscriptions } from '../../api/socket/event-subscription.js';
import { createLeases } from '../../api/socket/leases.js';
import type { OutgoingMessage } from '../../api/socket/send-message.js';
import { createSocketServer, type SocketServerDeps } from '../../api/socket/server.js';
import type { Db } from '../../db/connect.js';
import type { Credential } from '../../db/users/credentials.js';
import { appendEvents } from '../../db/events.js';
import { DomainError } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import type { Role } from '../../domain/account/permissions.js';
import { createBus, type Bus } from '../../events/bus.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { silentTracing } from '../../telemetry/tracing.js';
import { createTestUser, testServers } from './servers.js';
import { TEST_MACS } from './redis.js';
import { until } from './until.js';

export interface Gateway {
  readonly bus: Bus;
  readonly redis: Redis;
  readonly port: number;
  readonly sent: OutgoingMessage[];
  /** Connections counted by the metrics. */
  connected(): number;
  /** Refused connections counted by the metrics. */
  readonly refusals: readonly string[];
  /** @param query without the token */
  url(state: DiscussionState, query?: string): string;
  close(): Promise<void>;
  /** Like a kill: nothing is given back. */
  abandon(): Promise<void>;
}

export interface DiscussionState {
  readonly id: string;
  readonly userId: string;
  readonly token: string;
}

export type GatewayOptions = Partial<Omit<SocketServerDeps, 'db'>> & {
  readonly bus?: Bus;
  readonly redisUrl?: string;
  readonly leaseSeconds?: number;
  /** How often credentials are looked up. */
  readonly watchMs?: number;
  readonly name?: string;
};

export async function startGateway(db: Db, options: GatewayOptions = {}): Promise<Gateway> {
  const redisUrl = options.redisUrl ?? testServers().redisUrl;
  const redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  const bus = options.bus ?? createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  await until('redis is there', () => bus.isAvailable() && redis.status === 'ready');
  const leases = createLeases({
    redis,
    leaseSeconds: options.leaseSeconds ?? 30,
    gateway: options.name ?? randomUUID(),
    logger: silentLogger,
  });
  const sent: OutgoingMessage[] = [];
  let connected = 0;
  const refusals: string[] = [];
  const eventSubscriptions = createEventSubscriptions({
    ...{ db, bus, redis, macs: TEST_MACS },
    logger: options.logger ?? silentLogger,
  });
  const watch = createCredentialWatch({
    db,
    bus,
    logger: silentLogger,
    everyMs: options.watchMs ?? 60_000, // what comes sooner comes by the bus
  });
  const sockets = createSocketServer({
    db,
    eventSubscriptions,
    leases,
    watch,
    readAccess,
    sendMessage: (message) => {
      sent.push(message);
      return Promise.resolve();
    },
    logger: silentLogger,
    tracing: silentTracing,
    headers: securityHeadersOf({ debug: false }),
    config: {
      corsOrigins: ['http://localhost:3000'],
      host: '127.0.0.1',
      trustedProxyCount: 0,
      allowedHosts: [],
      temporalUiOrigins: [],
    },
    metrics: {
      connectionOpened: () => (connected += 1),
      connectionClosed: () => (connected -= 1),
      connectionRefused: (reason) => refusals.push(reason),
    },
    ...options,
  });
  const http = createServer();
  http.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    bus,
    redis,
    port,
    sent,
    connected: () => connected,
    refusals,
    url: (state, query = '') =>
      `ws://127.0.0.1:${port}/api/v1/ws/chat/${state.id}?token=${state.token}${query}`,
    close: async () => {
      await sockets.close();
      watch.close();
      eventSubscriptions.close();
      await leases.close();
      await bus.close();
      redis.disconnect();
      http.close();
    },
    abandon: async () => {
      redis.disconnect();
      await sockets.close();
      watch.close();
      eventSubscriptions.close();
      await leases.close();
      await bus.close();
      http.close();
    },
  };
}

/** For the top of a test file: starts gateways, and closes them after the test that has started them. */
export function gatewaysOfTests(): typeof startGateway {
  const gateways: Gateway[] = [];
  afterEach(async () => {
    await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
  });
  return async (db, options) => {
    const gateway = await startGateway(db, options);
    gateways.push(gateway);
    return gateway;
  };
}

/** Tokens of these tests: `access:<user id>`. */
function readAccess(token: string): Promise<Omit<Credential, 'apiKeyId'>> {
  const [kind = '', userId = ''] = token.split(':');
  if (kind === 'refresh') {
    return Promise.reject(new DomainError('not-authenticated', 'Invalid token type'));
  }
  return kind === 'access'
    ? Promise.resolve({ userId, sessionId: null, issuedAt: new Date() })
    : Promise.reject(new DomainError('not-authenticated', 'Invalid token'));
}

export async function createConversationWithToken(
  db: Db,
  role: Role = 'pro',
  owner?: string,
): Promise<DiscussionState> {
  const userId = owner ?? (await createTestUser(db, { role })).id;
  const id = randomUUID();
  await db
    .insertInto('conversations')
    .values({ id, userId, title: 'talk', countedOn: null })
    .execute();
  return { id, userId, token: `access:${userId}` };
}

/** Stores events in a stream as a worker would, without a notification. */
export function storeEvents(
  db: Db,
  state: DiscussionState,
  contents: readonly string[],
): Promise<readonly StoredEvent[]> {
  return db.transaction().execute((tx) =>
    appendEvents(tx, {
      streamId: state.id,
      conversationId: state.id,
      steps: contents.map((content) => ({
        stepKey: randomUUID(),
        event: { type: 'security_warning', content, safe: false },
      })),
    }),
  );
}
