import { randomBytes, randomUUID } from 'node:crypto';
import { isUuid } from '../../../domain/ids.js';
import { spanIn } from '../../../domain/traces.js';
import { inLogScope, type LogScope } from '../../../telemetry/log-scope.js';
import type { Logger } from '../../../telemetry/logger.js';
import { pathForLog } from '../../../telemetry/masking.js';
import type { ApiMiddleware, Context } from './state.js';

const REQUEST_ID = /^[\w-]{1,64}$/;

const TRACE_BYTES = 16;

/**
 * Gives the request an id (a well-formed one of the client's is kept) and the id of its trace (the
 * client's, or a new one), and has all that it leads to name them in the log.
 */
export function requestId(logger: Logger): ApiMiddleware {
  return async (ctx, next) => {
    const given = ctx.get('X-Request-ID');
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    const traceId =
      spanIn(ctx.get('traceparent'))?.traceId ?? randomBytes(TRACE_BYTES).toString('hex');
    ctx.state.requestId = requestId;
    ctx.state.log = logger;
    ctx.state.user = null;
    ctx.state.yields = {};
    ctx.state.answer = null;
    ctx.set('X-Request-ID', requestId);
    await inLogScope({ requestId, traceId }, next);
  };
}

/** Whom and what a request is about, as far as its path, its body and its answer tell. */
export function subjectOf(ctx: Context): LogScope {
  const params: unknown = ctx['params'];
  const { answer } = ctx.state;
  return {
    ...(ctx.state.user === null ? {} : { userId: ctx.state.user.id }),
    ...idIn(ctx.request.body, { field: 'conversation_id', name: 'conversationId' }),
    ...idIn(params, { field: 'conversation_id', name: 'conversationId' }),
    ...idIn(params, { field: 'pipeline_id', name: 'pipelineId' }),
    ...idIn(answer, { field: yieldedAs(ctx, 'conversation_id'), name: 'conversationId' }),
    ...idIn(answer, { field: yieldedAs(ctx, 'pipeline_id'), name: 'pipelineId' }),
  };
}

/** The field of the answer that holds an id which the route has given. */
function yieldedAs(ctx: Context, name: string): string {
  return ctx.state.yields[name]?.slice('/'.length) ?? '';
}

function idIn(value: unknown, { field, name }: { field: string; name: string }): LogScope {
  const found: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, field) : null;
  return typeof found === 'string' && isUuid(found) ? { [name]: found } : {};
}

/** One line per request; the query is left out, because it may carry a token. */
export function requestLog({ quietPaths }: { quietPaths: readonly string[] }): ApiMiddleware {
  return async (ctx, next) => {
    const startedAt = performance.now();
    await next();
    const level = quietPaths.includes(ctx.path) ? 'debug' : 'info';
    ctx.state.log[level]('request', {
      method: ctx.method,
      path: pathForLog(ctx.path),
      status: ctx.status,
      durationMs: Math.round(performance.now() - startedAt),
      ...subjectOf(ctx),
    });
  };
}
