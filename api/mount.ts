import { Readable } from 'node:stream';
import { bodyParser } from '@koa/bodyparser';
import type { Redis } from 'ioredis';
import { nestingOf, parseExactJson } from './bodies/exact-json.js';
import { InvalidInput } from './bodies/problems.js';
import { parseJson } from './bodies/json.js';
import {
  authenticate,
  type AuthenticateDeps,
  type OperatorRule,
} from './middleware/authenticate.js';
import { authorize } from './middleware/authorize.js';
import { clientIpOf } from './middleware/client-ip.js';
import { limitAuthAttempts, limitByRole } from './middleware/rate-limit.js';
import { subjectOf } from './middleware/request-log.js';
import type { ApiMiddleware, Context } from './middleware/state.js';
import { inLogScope } from '../telemetry/log-scope.js';
import type { ApiConfig } from './deps.js';
import type { RateLimiter } from './rate-limiter.js';
import type { Reply, Route, RouteSpec } from './route.js';
import { routerPathOf, type ApiRouter } from './routing.js';

export interface MountDeps extends AuthenticateDeps {
  readonly redis: Redis;
  readonly limiter: RateLimiter;
  readonly config: ApiConfig;
}

/** Puts each route on the router behind what its spec asks for. */
export function mountRoutes(router: ApiRouter, routes: readonly Route[], deps: MountDeps): void {
  for (const route of routes) {
    router.register(
      routerPathOf(route),
      [route.spec.method],
      [
        ...guardsOf(route.spec, deps),
        ...(route.spec.body === undefined ? [] : [readBody()]),
        serve(route, deps.config),
      ],
    );
  }
}

const READ_WEIGHT = 0.1;

function guardsOf(spec: RouteSpec, deps: MountDeps): ApiMiddleware[] {
  const weight = spec.weight ?? (spec.method === 'GET' ? READ_WEIGHT : 1);
  const { limiter, config } = deps;
  return [
    ...(spec.authLimited === true ? [limitAuthAttempts(limiter, config)] : []),
    ...(spec.auth === 'user'
      ? [
          authenticate(deps, operatorRuleOf(spec, config)),
          limitByRole(limiter, { rateLimits: config.rateLimits, weight }),
        ]
      : []),
    ...(spec.action === undefined ? [] : [authorize(spec.action)]),
  ];
}

function operatorRuleOf(
  { byOperatorCookie }: RouteSpec,
  { temporalUiOrigins }: ApiConfig,
): OperatorRule | null {
  return byOperatorCookie === true ? { origins: temporalUiOrigins } : null;
}

/** A template carries two documents of 512 KiB, at worst escaped. */
const BODY_LIMIT = '8mb';

/** Reads a JSON body; the same text is parsed again by us where it is malformed, to tell where. */
function readBody(): ApiMiddleware {
  return bodyParser({
    enableTypes: ['json'],
    parsedMethods: ['POST', 'PUT', 'PATCH', 'DELETE'],
    detectJSON: isJson,
    jsonStrict: false,
    jsonLimit: BODY_LIMIT,
    onError: (error, ctx) => {
      if ('body' in error && typeof error.body === 'string') {
        ctx.request.body = parseJson(error.body);
        ctx.request.rawBody = error.body;
        return;
      }
      // zlib gives no status to what it cannot unpack, nor the network to what it cuts off
      throw 'status' in error ? error : Object.assign(error, { status: 400 });
    },
  });
}

function serve(route: Route, config: ApiConfig): ApiMiddleware {
  return async (ctx) => {
    ctx.state.yields = route.spec.yields ?? {};
    const hangUp = new AbortController();
    const abort = (): void => {
      hangUp.abort();
    };
    ctx.res.once('close', abort);
    try {
      const reply = await inLogScope(subjectOf(ctx), () =>
        route.answer({
          params: ctx['params'],
          query: ctx.query,
          body: bodyOf(ctx, route.spec),
          user: ctx.state.user,
          clientIp: clientIpOf(ctx.req, config.trustedProxyCount),
          requestId: ctx.state.requestId,
          header: (name) => ctx.get(name),
          signal: hangUp.signal,
        }),
      );
      show(ctx, reply);
    } finally {
      ctx.res.off('close', abort);
    }
  };
}

/** Only JSON is a body; without one, Pydantic calls the whole of it missing. */
function bodyOf(ctx: Context, { exactNumbers }: RouteSpec): unknown {
  if (!isJson(ctx)) {
    throw new InvalidInput([
      {
        field: 'unknown',
        msg: 'Input should be a valid dictionary or object to extract fields from',
      },
    ]);
  }
  if (ctx.request.body === '') {
    return undefined;
  }
  return exactNumbers === true ? exactBodyOf(ctx.request.rawBody) : ctx.request.body;
}

/** Deeper than any editor's document, and less than what ends a stack, here or in PostgreSQL. */
const MAX_NESTING = 500;

/** @throws InvalidInput */
function exactBodyOf(text: string): unknown {
  if (nestingOf(text) > MAX_NESTING) {
    const msg = `Value error, objects and lists may be nested ${MAX_NESTING} levels deep at most`;
    throw new InvalidInput([{ field: 'unknown', msg }]);
  }
  return parseExactJson(text);
}

/** A body without a type is taken for JSON. */
function isJson(ctx: Pick<Context, 'get' | 'is'>): boolean {
  return ctx.get('Content-Type') === '' || ctx.is('json', '+json') !== false;
}

/** Writes the JSON itself: what fails here is still answered like every error. */
function show(ctx: Context, { status, body, headers = {} }: Reply): void {
  const isDocument = typeof body !== 'string' && body !== null && !(body instanceof Readable);
  ctx.body = isDocument ? JSON.stringify(body) : body;
  ctx.status = status;
  ctx.set(isDocument ? { 'Content-Type': JSON_TYPE, ...headers } : headers);
  ctx.state.answer = body;
}

const JSON_TYPE = 'application/json; charset=utf-8';
