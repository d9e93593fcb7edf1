/** What surrounds every request: its ids, its log line, its metrics, and unexpected errors. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import { DomainError } from '../domain/errors.js';
import { spanIn } from '../domain/traces.js';
import { inLogScope } from '../telemetry/log-scope.js';
import type { Logger } from '../telemetry/logger.js';
import { pathForLog } from '../telemetry/masking.js';
import type { HttpMetrics } from '../telemetry/metrics.js';
import { inWork } from '../telemetry/work-scope.js';

const REQUEST_ID = /^[\w-]{1,64}$/;
const TRACE_BYTES = 16;

export interface ObserveOptions {
  readonly logger: Logger;
  readonly metrics: HttpMetrics;
  /** Asked all the time by machines. */
  readonly quietPaths: readonly string[];
  /** A path's label; the same for all that no route serves. */
  endpointOf(path: string): string;
}

export function observe({ logger, metrics, quietPaths, endpointOf }: ObserveOptions): Middleware {
  return async (ctx, next) => {
    const given = ctx.get('X-Request-ID');
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    const traceId =
      spanIn(ctx.get('traceparent'))?.traceId ?? randomBytes(TRACE_BYTES).toString('hex');
    ctx.set('X-Request-ID', requestId);
    const work = { work: 'request', method: ctx.method, route: endpointOf(ctx.path), requestId };
    const answer = async (): Promise<void> => {
      const startedAt = performance.now();
      await answering(ctx, next, logger);
      const seconds = (performance.now() - startedAt) / 1_000;
      const { method, path, status } = ctx;
      const isQuiet = quietPaths.includes(path);
      const durationMs = Math.round(seconds * 1_000);
      const logged = { method, path: pathForLog(path), status, durationMs };
      logger[isQuiet ? 'debug' : 'info']('request', logged);
      if (!isQuiet) {
        const labels = { method, endpoint: endpointOf(path) };
        metrics.httpRequests.inc({ ...labels, status: String(status) });
        metrics.httpDuration.observe(labels, seconds);
      }
    };
    await inLogScope({ requestId, traceId }, () => inWork(work, answer));
  };
}

const AWAY_RETRY_SECONDS = 2;

async function answering(
  ctx: Parameters<Middleware>[0],
  next: Parameters<Middleware>[1],
  logger: Logger,
): Promise<void> {
  try {
    await next();
  } catch (error) {
    const isAway = error instanceof DomainError && error.code === 'unavailable';
    if (!isAway || ctx.path !== '/readyz') {
      // "not ready" is an answer of a probe, no failure; the connection logs that Redis is away
      logger.error('request failed', { method: ctx.method, path: pathForLog(ctx.path), error });
    }
    ctx.status = isAway ? 503 : 500;
    ctx.body = { detail: isAway ? `Unavailable: ${error.message}` : 'Internal server error' };
    if (isAway) {
      ctx.set('Retry-After', String(AWAY_RETRY_SECONDS));
    }
  }
}
