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

const NEVER_CALLED = (): Promise<never> =>
  Promise.reject(new Error('these routes are never called'));
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
      startPipeline: NEVER_CALLED,
      runConfirmed: NEVER_CALLED,
      waitForEnd: NEVER_CALLED,
      readPipeline: NEVER_CALLED,
      cancelPipeline: NEVER_CALLED,
      readLiveness: NEVER_CALLED,
      releaseRun: NEVER_CALLED,
      validateKey: NEVER_CALLED,
      pauseRun: NEVER_CALLED,
      resumeRun: NEVER_CALLED,
      decideApproval: NEVER_CALLED,
      tellBudgetChanged: NEVER_CALLED,
      startUserDeletion: NEVER_CALLED,
      requestArchives: NEVER_CALLED,
    },
    audit: { box: { open: NEVER_CALLED }, keys: [] },
    decodePayloads: NEVER_CALLED,
    userChanged: NEVER_CALLED,
    watch: { add: () => () => undefined, close: () => undefined },
    keyChanged: NEVER_CALLED,
    eventSubscriptions: { open: nobodyListens, close: nobodyListens },
    leases: { acquire: NEVER_CALLED, close: NEVER_CALLED },
    stopping: new AbortController().signal,
    checks: { postgres: NEVER_CALLED, redis: NEVER_CALLED, temporal: NEVER_CALLED },
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
      models: { hasServerKeys: false, simulated: false, endpointAllowed: [] },
    },
  };
}
