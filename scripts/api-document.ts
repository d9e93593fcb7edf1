/** The API's description without a running API: its routes are built, and never called. */
import { describeApi } from '../api/http/openapi.js';
import type { AppDeps } from '../api/deps.js';
import { createRateLimiter } from '../api/http/rate-limiter.js';
import { createRoutes } from '../api/routes/index.js';
import { createTokens } from '../api/auth/tokens.js';
import { connectDb } from '../db/connect.js';
import { createSecretCipher } from '../db/users/secret-cipher.js';
import { VERSION } from '../domain/version.js';
import { createMacs } from '../events/macs.js';
import { connectRedis } from '../events/redis.js';
import { silentLogger } from '../telemetry/logger.js';
import { createMetrics } from '../telemetry/metrics.js';
import { silentTracing } from '../telemetry/tracing.js';

export async function readApiDocument(): Promise<Readonly<Record<string, unknown>>> {
  const deps = depsOfNobody();
  try {
    return describeApi(createRoutes(deps), VERSION);
  } finally {
    deps.redis.disconnect();
    await deps.db.destroy();
  }
}

const NOBODY_ASKS = (): Promise<never> => Promise.reject(new Error('nobody calls these routes'));
const nobodyListens = (): never => {
  throw new Error('these routes are never called');
};
const NOWHERE = '127.0.0.1:9';
const KEY_BYTES = 32;

/** The parts that routes are made of; none of them connects before it is asked. */
function depsOfNobody(): AppDeps {
  const logger = silentLogger;
  const redis = connectRedis({ url: `redis://${NOWHERE}`, name: 'none', logger });
  return {
    logger,
    redis,
    macs: createMacs([Buffer.alloc(KEY_BYTES)]),
    limiter: createRateLimiter({ redis, logger }),
    db: connectDb({ url: `postgresql://${NOWHERE}/none`, poolSize: 1, applicationName: 'none' }),
    metrics: createMetrics(),
    tracing: silentTracing,
    secretCipher: createSecretCipher([Buffer.alloc(KEY_BYTES)]),
    tokens: createTokens({
      secretKey: '',
      algorithm: 'HS256',
      accessMinutes: 1,
      refreshDays: 1,
    }),
    workflows: {
      startPipeline: NOBODY_ASKS,
      runConfirmed: NOBODY_ASKS,
      waitForEnd: NOBODY_ASKS,
      readPipeline: NOBODY_ASKS,
      cancelPipeline: NOBODY_ASKS,
      readLiveness: NOBODY_ASKS,
      releaseRun: NOBODY_ASKS,
      validateKey: NOBODY_ASKS,
      pauseRun: NOBODY_ASKS,
      resumeRun: NOBODY_ASKS,
      decideApproval: NOBODY_ASKS,
      tellBudgetChanged: NOBODY_ASKS,
      startUserDeletion: NOBODY_ASKS,
      requestArchives: NOBODY_ASKS,
    },
    audit: { box: { open: NOBODY_ASKS }, keys: [] },
    decodePayloads: NOBODY_ASKS,
    userChanged: NOBODY_ASKS,
    watch: { add: () => () => undefined, close: () => undefined },
    keyChanged: NOBODY_ASKS,
    eventSubscriptions: { open: nobodyListens, close: nobodyListens },
    leases: { acquire: NOBODY_ASKS, close: NOBODY_ASKS },
    stopping: new AbortController().signal,
    checks: { postgres: NOBODY_ASKS, redis: NOBODY_ASKS, temporal: NOBODY_ASKS },
    config: {
      debug: false,
      corsOrigins: [],
      temporalUiOrigins: [],
      host: '127.0.0.1',
      allowedHosts: [],
      registration: 'open',
      trustedProxyCount: 0,
      passwordCost: 12,
      authRateLimit: 1,
      authRateWindowSeconds: 1,
      rateLimits: { free: 1, pro: 1, admin: 1 },
      pipelineTimeoutMs: 1,
      workerMetricsUrl: null,
      eventStreamMs: 1,
    },
  };
}
