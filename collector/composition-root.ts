/** What a collector is made of, wired once; `close` releases it. */
import { randomUUID } from 'node:crypto';
import type { CollectorConfig } from '../config/collector-config.js';
import { isLoopbackAddress } from '../domain/security/loopback-hosts.js';
import { createCollectionMetrics } from '../telemetry/collector-metrics.js';
import type { Logger } from '../telemetry/logger.js';
import { createHttpMetrics, createRegistry } from '../telemetry/metrics.js';
import type { AppDeps } from './app.js';
import { createCollections } from './collections.js';
import { createCrawl } from './crawl.js';
import { createDial } from './dial.js';
import { createFetchPage } from './fetch-page.js';
import { createGuard } from './guard.js';
import { createPacing } from './pacing.js';
import { createReader, type Reader } from './reader.js';
import { askRedis, openRedis } from './redis.js';
import { createResolver, type Resolve } from './resolver.js';
import { createRobots } from './robots.js';
import { createStore } from './store.js';

export interface ComposedCollector {
  readonly app: AppDeps;
  close(): void;
}

/** What tests put in place of the network's and the machine's own. */
export interface Replacements {
  readonly resolve?: Resolve;
  readonly reader?: Reader;
}

/** @param stopping aborts what is under way when the process can wait no longer */
export function composeCollector(
  config: CollectorConfig,
  { logger, stopping }: { logger: Logger; stopping: AbortSignal },
  replaced: Replacements = {},
): ComposedCollector {
  const redis = openRedis(config.redisUrl, logger);
  const registry = createRegistry();
  const { delayMs, allowed } = config;
  const now = (): Date => new Date();
  const guard = createGuard({ resolve: replaced.resolve ?? createResolver(), allowed });
  const fetchPage = createFetchPage({ guard, dial: createDial({ guard }) });
  const pacing = createPacing({ redis });
  const reader = replaced.reader ?? createReader();
  const store = createStore({ redis, now });
  const robots = createRobots({ fetchPage, store, pacing, reader, delayMs });
  const { crawlTimeoutMs: timeoutMs, maxBodyBytes: maxBytes } = config;
  const crawl = createCrawl({ fetchPage, pacing, robots, reader, timeoutMs, maxBytes });
  const metrics = createCollectionMetrics(registry);
  const working = { store, guard, robots, crawl, metrics, logger, delayMs };
  return {
    app: {
      collections: createCollections({ ...working, now, newId: randomUUID }),
      callers: { secret: config.secret, isLoopback: isLoopbackAddress(config.host) },
      registry,
      metrics: createHttpMetrics(registry),
      checkStore: () => askRedis(redis.ping()),
      stopping,
      logger,
    },
    close() {
      redis.disconnect();
    },
  };
}
