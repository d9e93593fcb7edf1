import type { HttpMetrics } from '../../../telemetry/metrics.js';
import type { ApiMiddleware } from './state.js';

export interface HttpMetricsOptions {
  readonly metrics: HttpMetrics;
  readonly unmeasuredPaths: readonly string[];
  /** A path's label; one label for all paths that no route serves. */
  readonly endpointOf: (path: string) => string;
}

/** Counts and times requests by route, so that ids in paths never make new labels. */
export function httpMetrics(options: HttpMetricsOptions): ApiMiddleware {
  const { httpRequests, httpDuration } = options.metrics;
  return async (ctx, next) => {
    if (options.unmeasuredPaths.includes(ctx.path)) {
      await next();
      return;
    }
    const labels = { method: ctx.method, endpoint: options.endpointOf(ctx.path) };
    const stopTimer = httpDuration.startTimer(labels);
    await next();
    stopTimer();
    httpRequests.inc({ ...labels, status: String(ctx.status) });
  };
}
