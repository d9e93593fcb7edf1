import { idAttributes, spanIn } from '../../../domain/traces.js';
import type { Tracing } from '../../../telemetry/tracing.js';
import { subjectOf } from './request-log.js';
import type { ApiMiddleware } from './state.js';

export interface TraceRequestsOptions {
  readonly tracing: Tracing;
  /** Asked all the time by machines. */
  readonly quietPaths: readonly string[];
  /** A path's route; null: none serves it. */
  readonly routeOf: (path: string) => string | null;
}

const SERVER_FAILED = 500;

/**
 * Each request as a span, named by its route: paths and queries hold ids, tokens, or anything
 * somebody has mistyped. Source of names: OpenTelemetry's conventions for HTTP, 1.37.0.
 */
export function traceRequests(options: TraceRequestsOptions): ApiMiddleware {
  const { tracing, quietPaths, routeOf } = options;
  return async (ctx, next) => {
    if (!tracing.isOn || quietPaths.includes(ctx.path)) {
      await next();
      return;
    }
    const route = routeOf(ctx.path);
    const method = ctx.method; // Node's parser lets no other pass than it knows
    const span = {
      name: route === null ? method : `${method} ${route}`,
      kind: 'server' as const,
      attributes: { 'http.request.method': method, 'http.route': route },
      parent: spanIn(ctx.get('traceparent')),
    };
    await tracing.inSpan(span, async (open) => {
      await next();
      open.set({ ...idAttributes(subjectOf(ctx)), 'http.response.status_code': ctx.status });
      if (ctx.status >= SERVER_FAILED) {
        open.fail(String(ctx.status));
      }
    });
  };
}
