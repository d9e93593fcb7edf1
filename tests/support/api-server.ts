/** The HTTP API on a free port, with real PostgreSQL and Redis and a stand-in for Temporal. */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import { createApp } from '../../api/http/app.js';
import type { ApiConfig, AppDeps, Workflows } from '../../api/deps.js';
import { createCredentialWatch } from '../../api/auth/credential-watch.js';
import { createHttpServer } from '../../api/http/server.js';
import { securityHeadersOf } from '../../api/http/middleware/headers.js';
import { createRateLimiter } from '../../api/http/rate-limiter.js';
import { createEventSubscriptions } from '../../api/socket/event-subscription.js';
import { createLeases } from '../../api/socket/leases.js';
import { createTokens, type Tokens } from '../../api/auth/tokens.js';
import type { Db } from '../../db/connect.js';
import { createSecretCipher } from '../../db/users/secret-cipher.js';
import type { PipelineStatusView } from '../../domain/run/results.js';
import { createBus, type Bus } from '../../events/bus.js';
import { connectRedis } from '../../events/redis.js';
import { createLogger, silentLogger } from '../../telemetry/logger.js';
import { silentTracing } from '../../telemetry/tracing.js';
import { createMetrics } from '../../telemetry/metrics.js';
import { createRemoteDecoder } from '../../temporal/remote-codec.js';
import { TEST_MACS } from './redis.js';
import { createTestDb, testServers } from './servers.js';

export const SECRET_KEY = randomBytes(32).toString('hex');

export interface ApiServer {
  readonly url: string;
  readonly db: Db;
  readonly tokens: Tokens;
  readonly redis: Redis;
  readonly bus: Bus;
  /** Ends waits, as a stopping process does. */
  stopWaiting(): void;
  /** Every line that the API has logged. */
  readonly lines: () => Record<string, unknown>[];
  /** Stands in for Temporal; tests replace its functions. */
  readonly workflows: Workflows;
  readonly changedKeys: string[];
  /** Serves requests of another server, too. */
  readonly handle: RequestListener;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Sends JSON to a path below `/api/v1`. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  /** A registered user. */
  register(fields?: { email?: string }): Promise<Person>;
  close(): Promise<void>;
}

export interface SendOptions {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly body: any; // as it comes over the wire
  readonly headers: Headers;
}

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
}

export interface ApiServerOptions {
  readonly config?: Partial<ApiConfig>;
  readonly deps?: Partial<AppDeps>;
  readonly redisUrl?: string;
}

const CONFIG: ApiConfig = {
  debug: false,
  corsOrigins: ['http://localhost:3000'],
  temporalUiOrigins: ['http://127.0.0.1:8233'],
  host: '127.0.0.1',
  allowedHosts: [],
  registration: 'open',
  trustedProxyCount: 0,
  passwordCost: 4,
  authRateLimit: 100_000,
  authRateWindowSeconds: 900,
  rateLimits: { free: 100_000, pro: 100_000, admin: -1 },
  pipelineTimeoutMs: 300_000,
  workerMetricsUrl: null,
  eventStreamMs: 600_000,
  models: { hasServerKeys: false, simulated: true, endpointAllowed: [] },
};

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const { db, drop } = await createTestDb();
  const redis = connectRedis({
    url: options.redisUrl ?? testServers().redisUrl,
    name: 'test',
    logger: silentLogger,
  });
  if (options.redisUrl === undefined && redis.status !== 'ready') {
    await once(redis, 'ready');
  }
  const bus = createBus({
    redisUrl: options.redisUrl ?? testServers().redisUrl,
    logger: silentLogger,
    macs: TEST_MACS,
  });
  const leases = createLeases({
    redis,
    leaseSeconds: 30,
    gateway: randomUUID(),
    logger: silentLogger,
  });
  const eventSubscriptions = createEventSubscriptions({
    db,
    redis,
    macs: TEST_MACS,
    bus,
    logger: silentLogger,
  });
  const watch = createCredentialWatch({ db, bus, logger: silentLogger });
  const stopping = new AbortController();
  const written: string[] = [];
  const tokens = createTokens({
    secretKey: SECRET_KEY,
    algorithm: 'HS256',
    accessMinutes: 30,
    refreshDays: 7,
  });
  const workflows = createFakeWorkflows();
  const changedKeys: string[] = [];
  const logger = createLogger('api', {
    level: 'debug',
    destination: {
      write: (line) => {
        written.push(line);
      },
    },
  });
  const app = createApp({
    db,
    redis,
    macs: TEST_MACS,
    limiter: createRateLimiter({ redis, logger }),
    logger,
    metrics: createMetrics(),
    tracing: silentTracing,
    secretCipher: createSecretCipher([randomBytes(32)]),
    audit: {
      box: { open: () => Promise.reject(new Error('this test expects no such call')) },
      keys: [],
    },
    tokens,
    workflows,
    decodePayloads: createRemoteDecoder([Buffer.alloc(32)]),
    userChanged: bus.publishUserGone,
    watch,
    keyChanged: (userId) => {
      changedKeys.push(userId);
      return Promise.resolve();
    },
    checks: { postgres: resolved, redis: resolved, temporal: resolved },
    eventSubscriptions,
    leases,
    stopping: stopping.signal,
    ...options.deps,
    config: { ...CONFIG, ...options.config },
  });
  const answer = app.callback();
  const handle: RequestListener = (request, response) => void answer(request, response);
  const server = createHttpServer(handle, securityHeadersOf({ ...CONFIG, ...options.config }));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const send: ApiServer['send'] = async (method, path, { token, body, headers } = {}) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: await bodyOf(response), headers: response.headers };
  };
  return {
    url,
    db,
    tokens,
    redis,
    bus,
    stopWaiting: () => {
      stopping.abort();
    },
    workflows,
    changedKeys,
    handle,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    request: (path, init) => fetch(`${url}${path}`, init),
    send,
    async register({ email = `${randomUUID()}@example.com` } = {}) {
      const password = 'Passw0rd';
      const { body } = await send('POST', '/auth/register', {
        body: { email, password, display_name: 'Somebody' },
      });
      const { userId: id } = await tokens.readAccess(body.access_token);
      return { id, email, password, token: body.access_token, refreshToken: body.refresh_token };
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      watch.close();
      eventSubscriptions.close();
      await leases.close();
      await bus.close();
      redis.disconnect();
      await drop();
    },
  };
}

/** For the top of a test file: one server for each configuration; its tests use accounts of their own. */
export function serversByConfig(): (config?: Partial<ApiConfig>) => Promise<ApiServer> {
  const servers = new Map<string, Promise<ApiServer>>();
  afterAll(async () => {
    const started = await Promise.all(servers.values());
    await Promise.all(started.map((server) => server.close()));
  });
  return (config = {}) => {
    const key = JSON.stringify(config);
    const server = servers.get(key) ?? startApiServer({ config });
    servers.set(key, server);
    return server;
  };
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === '' ? null : (JSON.parse(text) as unknown);
}

const resolved = (): Promise<void> => Promise.resolve();

const NOBODY_ASKED = () => Promise.reject(new Error('this test expects no such call'));

function createFakeWorkflows(): Workflows {
  return {
    startPipeline: NOBODY_ASKED,
    runConfirmed: NOBODY_ASKED,
    waitForEnd: NOBODY_ASKED,
    readPipeline: NOBODY_ASKED,
    cancelPipeline: NOBODY_ASKED,
    readLiveness: NOBODY_ASKED,
    releaseRun: NOBODY_ASKED,
    pauseRun: NOBODY_ASKED,
    resumeRun: NOBODY_ASKED,
    decideApproval: NOBODY_ASKED,
    tellBudgetChanged: () => Promise.resolve(),
    startUserDeletion: NOBODY_ASKED,
    requestArchives: () => Promise.resolve(),
    validateKey: () =>
      Promise.resolve({ outcome: 'unchecked', message: 'not checked yet', models: [] }),
  };
}

export function runView(fields: Partial<PipelineStatusView> = {}): PipelineStatusView {
  return {
    pipeline_id: randomUUID(),
    status: 'running',
    design_name: 'Reader',
    started_at: '2026-01-02T03:04:05.678Z',
    result: null,
    waiting_for: null,
    waiting_agents: [],
    detail: null,
    rerun_of: null,
    ...fields,
  };
}

export function endedView(fields: Partial<PipelineStatusView> = {}): PipelineStatusView {
  return runView({
    status: 'completed',
    result: {
      design_name: 'Reader',
      status: 'completed',
      agent_results: [],
      total_cost: 0.000_123,
      total_duration: 1.23,
      total_tokens: 42,
      output: 'done',
      error: null,
    },
    ...fields,
  });
}
