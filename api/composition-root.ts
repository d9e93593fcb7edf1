/** What the API is made of, wired once; `close` releases it in reverse order. */
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { sql } from 'kysely';
import { createArchiveCipher } from '../audit/archive-cipher.js';
import { createSigner, publicKeyOf, type PublicKey } from '../audit/signing.js';
import type { ApiConfig as Config } from '../config/config.js';
import { keySourcesOf } from '../db/runs/admission.js';
import { connectDb, type Db } from '../db/connect.js';
import { createSecretCipher, type SecretCipher } from '../db/users/secret-cipher.js';
import type { Role } from '../domain/account/permissions.js';
import { createBus, type Bus } from '../events/bus.js';
import { createMacs, type Macs } from '../events/macs.js';
import { connectRedis } from '../events/redis.js';
import { READINESS_TIMEOUT_MS } from '../temporal/client/timeouts.js';
import { connectTemporal, type TemporalClient } from '../temporal/connection.js';
import { createRemoteDecoder } from '../temporal/remote-codec.js';
import type { Logger } from '../telemetry/logger.js';
import { createMetrics, type Metrics } from '../telemetry/metrics.js';
import type { Tracing } from '../telemetry/tracing.js';
import type { AppDeps, AuditDeps, ReadinessChecks, Workflows } from './deps.js';
import { createCredentialWatch, type CredentialWatch } from './auth/credential-watch.js';
import { securityHeadersOf } from './http/middleware/headers.js';
import { bucketOfUser } from './http/middleware/rate-limit.js';
import { createRateLimiter, type RateLimiter } from './http/rate-limiter.js';
import { createEventSubscriptions, type EventSubscriptions } from './socket/event-subscription.js';
import { createLeases, type Leases } from './socket/leases.js';
import type { SocketServerDeps } from './socket/server.js';
import { createTokens, type Tokens } from './auth/tokens.js';
import { createWorkflows, type Chat } from './runs/workflows.js';

export interface ComposedApi {
  readonly app: AppDeps;
  readonly sockets: SocketServerDeps;
  /** Ends event streams, and blocking calls that wait for runs. */
  stopWaiting(): void;
  close(): Promise<void>;
}

export async function composeApi(
  config: Config,
  logger: Logger,
  tracing: Tracing,
): Promise<ComposedApi> {
  // what can fail comes before anything is opened that would have to be closed
  const temporal = await connectTemporal(config.temporal, config.encryptionKeys, tracing);
  const secretCipher = createSecretCipher(config.encryptionKeys);
  const tokens = createTokens({ secretKey: config.secretKey, ...config.jwt });
  const db = openDb(config, logger);
  const redis = connectRedis({ url: config.redisUrl, name: 'agentforge-api', logger });
  const macs = createMacs(config.encryptionKeys);
  const bus = createBus({ redisUrl: config.redisUrl, logger, macs });
  const stopping = new AbortController();
  const shared = { config, logger, tracing, db, redis, macs, bus, temporal };
  const common: Common = { ...shared, stopping: stopping.signal };
  const metrics = createMetrics();
  const limiter = createRateLimiter(common);
  const workflows = workflowsOf(common, secretCipher);
  const leases = createLeases({
    redis,
    leaseSeconds: config.wsLeaseSeconds,
    gateway: gatewayOf(config),
    logger,
  });
  const eventSubscriptions = createEventSubscriptions(common);
  const watch = createCredentialWatch(common);
  return {
    app: {
      ...{ db, redis, macs, limiter, logger, metrics, secretCipher, tokens, workflows, config },
      ...{ eventSubscriptions, leases, watch, tracing, stopping: stopping.signal },
      audit: toAuditDeps(config),
      decodePayloads: createRemoteDecoder(config.encryptionKeys),
      userChanged: bus.publishUserGone,
      keyChanged: bus.publishKeyChanged,
      checks: checksOf(common),
    },
    sockets: socketDeps(common, {
      eventSubscriptions,
      leases,
      watch,
      limiter,
      tokens,
      workflows,
      metrics,
    }),
    stopWaiting: () => {
      stopping.abort();
    },
    async close() {
      watch.close();
      eventSubscriptions.close();
      await leases.close();
      await temporal.close();
      await bus.close();
      redis.disconnect();
      await db.destroy();
    },
  };
}

interface Common {
  readonly config: Config;
  readonly logger: Logger;
  readonly tracing: Tracing;
  readonly db: Db;
  readonly redis: Redis;
  readonly macs: Macs;
  readonly bus: Bus;
  readonly temporal: TemporalClient;
  readonly stopping: AbortSignal;
}

function workflowsOf(common: Common, secretCipher: SecretCipher): Workflows & Chat {
  const { config, db, bus, redis, temporal, logger, stopping } = common;
  return createWorkflows({
    ...{ db, bus, redis, logger, stopping },
    temporal: {
      client: temporal.client,
      taskQueue: config.temporal.taskQueue,
      limits: {
        idleMs: config.discussionIdleMs,
        maxHistoryEvents: config.discussionMaxHistoryEvents,
      },
    },
    keySources: keySourcesOf(config.models, secretCipher),
  });
}

function checksOf({ db, redis, temporal }: Common): ReadinessChecks {
  return {
    async postgres() {
      await sql`select 1`.execute(db);
    },
    async redis() {
      await redis.ping();
    },
    async temporal() {
      await temporal.connection.withDeadline(Date.now() + READINESS_TIMEOUT_MS, () =>
        temporal.connection.workflowService.getSystemInfo({}),
      );
    },
  };
}

interface SocketDeps {
  readonly eventSubscriptions: EventSubscriptions;
  readonly leases: Leases;
  readonly watch: CredentialWatch;
  readonly limiter: RateLimiter;
  readonly tokens: Tokens;
  readonly workflows: Chat;
  readonly metrics: Metrics;
}

function socketDeps(common: Common, parts: SocketDeps): SocketServerDeps {
  const { config, db, logger, tracing } = common;
  const { eventSubscriptions, leases, watch, limiter, tokens, workflows, metrics } = parts;
  return {
    ...{ db, eventSubscriptions, leases, watch, logger, tracing, config },
    headers: securityHeadersOf(config),
    readAccess: tokens.readAccess,
    sendMessage: workflows.sendMessage,
    metrics: {
      connectionOpened: () => {
        metrics.websocketConnections.inc();
      },
      connectionClosed: () => {
        metrics.websocketConnections.dec();
      },
      connectionRefused: (reason) => {
        metrics.websocketRefusals.inc({ reason });
      },
    },
    takeToken: (userId, role) => takeMessageToken(limiter, config, { id: userId, role }),
  };
}

function toAuditDeps({ audit, encryptionKeys }: Config): AuditDeps {
  const { publicKey, signingKey, previousKeys } = audit;
  const current = publicKey !== null ? publicKeyOf(publicKey) : signerKeyOf(signingKey);
  return {
    box: createArchiveCipher(encryptionKeys),
    keys: [current, ...previousKeys.map(publicKeyOf)].filter((key) => key !== null),
  };
}

function signerKeyOf(signingKey: Buffer | null): PublicKey | null {
  if (signingKey === null) {
    return null;
  }
  const { keyId, publicKey } = createSigner(signingKey);
  return { keyId, publicKey };
}

function openDb(config: Config, logger: Logger): Db {
  return connectDb({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    applicationName: 'agentforge-api',
    onIdleError: (error) => {
      logger.warn('postgres connection lost', { error });
    },
  });
}

/** Names this process over restarts; on an ephemeral port no process comes back under the same name. */
function gatewayOf({ port }: Config): string {
  return `${hostname()}:${port === 0 ? `pid-${process.pid}` : port}`;
}

async function takeMessageToken(
  limiter: RateLimiter,
  { rateLimits }: Config,
  user: { id: string; role: Role },
): Promise<{ allowed: boolean; retryAfterSeconds: number }> {
  const bucket = bucketOfUser(user, rateLimits);
  const taken = bucket === null ? null : await limiter.take(bucket, 1);
  return taken?.kind === 'refused'
    ? { allowed: false, retryAfterSeconds: taken.retryAfterSeconds }
    : { allowed: true, retryAfterSeconds: 0 };
}
