import { Readable } from 'node:stream';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { InvalidInput } from './schemas/problems.js';
import { parseJson, parseJsonAround } from './schemas/json.js';
import {
  authenticate,
  type AuthenticateDeps,
  type OperatorRule,
} from './middleware/authenticate.js';
import { authorize } from './middleware/authorize.js';
import { clientIpOf } from './middleware/client-ip.js';
import { refuseForeignPages, requireOwnPage } from './middleware/origin.js';
import {
  chargeBytes,
  limitAuthAttempts,
  limitByRole,
  type ChargeBytes,
  type RoleLimit,
} from './middleware/rate-limit.js';
import { readText } from './middleware/read-body.js';
import { subjectOf } from './middleware/request-log.js';
import type { ApiMiddleware, Context } from './middleware/state.js';
import { inLogScope } from '../../telemetry/log-scope.js';
import type { ApiConfig } from '../deps.js';
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
      [...guardsOf(route.spec, deps), ...bodyReaderOf(route.spec, deps), serve(route, deps.config)],
    );
  }
}

function bodyReaderOf(spec: RouteSpec, { limiter, config }: MountDeps): ApiMiddleware[] {
  const billing = spec.auth === 'user' ? chargeBytes(limiter, roleLimitOf(spec, config)) : null;
  return spec.body === undefined ? [] : [readBody(spec, billing)];
}

const READ_WEIGHT = 0.1;

function roleLimitOf(spec: RouteSpec, { rateLimits }: ApiConfig): RoleLimit {
  const weight = spec.weight ?? (spec.method === 'GET' ? READ_WEIGHT : 1);
  return { rateLimits, weight, maxBytes: spec.body === undefined ? 0 : maxBodyBytesOf(spec) };
}

function guardsOf(spec: RouteSpec, deps: MountDeps): ApiMiddleware[] {
  const { limiter, config } = deps;
  return [
    ...(spec.ownPagesOnly === true ? [requireOwnPage()] : []),
    ...(spec.authLimited === true
      ? [refuseForeignPages(config), limitAuthAttempts(limiter, config)]
      : []),
    ...(spec.auth === 'user'
      ? [
          authenticate(deps, operatorRuleOf(spec, config)),
          limitByRole(limiter, roleLimitOf(spec, config)),
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

const KIBIBYTE = 1_024;
/** Addresses, passwords and tokens. */
const MAX_AUTH_BYTES = 16 * KIBIBYTE;
/** All others have a few fields; 10,000 characters are the longest of them. */
const MAX_BODY_BYTES = 256 * KIBIBYTE;

function maxBodyBytesOf({ maxBodyBytes, tag }: RouteSpec): number {
  return maxBodyBytes ?? (tag === 'auth' ? MAX_AUTH_BYTES : MAX_BODY_BYTES);
}

/** Only JSON is a body; without one, Pydantic calls the whole of it missing. */
function readBody(spec: RouteSpec, billing: ChargeBytes | null): ApiMiddleware {
  const maxBytes = maxBodyBytesOf(spec);
  return async (ctx, next) => {
    if (!isJson(ctx)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      throw new InvalidInput([{ field: 'unknown', msg }]);
    }
    const text = await readText(ctx, maxBytes);
    await billing?.(ctx, Buffer.byteLength(text));
    ctx.request.body = text === '' ? undefined : parseBody(text, spec);
    await next();
  };
}

/** @throws InvalidInput */
function parseBody(text: string, { documents, body }: RouteSpec): unknown {
  if (documents === undefined) {
    return parseJson(text);
  }
  const known = body instanceof z.ZodObject ? Object.keys(body.shape) : [];
  return parseJsonAround(text, { known, documents });
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
          body: ctx.request.body,
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
