/** Security headers and CORS on every response. Source: contract, http §1.2. */
import type { ApiMiddleware, Context } from './state.js';

const YEAR_S = 31_536_000;
const PREFLIGHT_CACHE_S = 600;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const REQUEST_HEADERS = [
  'Accept',
  'Accept-Language',
  'Authorization',
  'Content-Language',
  'Content-Type',
  'X-API-Key',
];

export function securityHeaders(config: { debug: boolean }): ApiMiddleware {
  const fixed = securityHeadersOf(config);
  return async (ctx, next) => {
    ctx.set(fixed);
    await next();
  };
}

export function securityHeadersOf({ debug }: { debug: boolean }): Record<string, string> {
  return {
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'X-XSS-Protection': '0',
    'Referrer-Policy': 'strict-origin-when-cross-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    'Content-Security-Policy': contentSecurityPolicy(debug),
    ...(debug ? {} : { 'Strict-Transport-Security': `max-age=${YEAR_S}; includeSubDomains` }),
  };
}

function contentSecurityPolicy(debug: boolean): string {
  return [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "frame-ancestors 'none'",
    debug
      ? "connect-src 'self' ws: wss: http://localhost:* ws://localhost:*"
      : "connect-src 'self' wss:",
  ].join('; ');
}

/** Who may ask for which paths from another origin. */
export interface CorsConfig {
  readonly corsOrigins: readonly string[];
  /** These may ask for `DECODE_PATH`, and nothing else; no other origin may ask for it. */
  readonly temporalUiOrigins: readonly string[];
}

/** Asked for by the Temporal Web UI, which sits on an origin of its own. */
export const DECODE_PATH = '/api/v1/codec/decode';
const DECODE_HEADERS = ['Content-Type', 'X-Namespace'];

export function cors({ corsOrigins, temporalUiOrigins }: CorsConfig): ApiMiddleware {
  const general: CorsRule = {
    isAllowed: (origin) => corsOrigins.includes(origin) || corsOrigins.includes('*'),
    methods: METHODS,
    headers: REQUEST_HEADERS,
  };
  const decode: CorsRule = {
    isAllowed: (origin) => temporalUiOrigins.includes(origin),
    methods: ['POST'],
    headers: DECODE_HEADERS,
  };
  return async (ctx, next) => {
    ctx.vary('Origin');
    const origin = ctx.get('Origin');
    const rule = ctx.path === DECODE_PATH ? decode : general;
    if (origin !== '' && rule.isAllowed(origin)) {
      ctx.set('Access-Control-Allow-Origin', origin);
      ctx.set('Access-Control-Allow-Credentials', 'true');
    }
    if (isPreflight(ctx)) {
      answerPreflight(ctx, rule);
      return;
    }
    if (origin !== '') {
      ctx.set('Access-Control-Expose-Headers', 'Retry-After');
    }
    await next();
  };
}

interface CorsRule {
  readonly isAllowed: (origin: string) => boolean;
  readonly methods: readonly string[];
  readonly headers: readonly string[];
}

function isPreflight(ctx: Context): boolean {
  return (
    ctx.method === 'OPTIONS' &&
    ctx.get('Origin') !== '' &&
    ctx.get('Access-Control-Request-Method') !== ''
  );
}

function answerPreflight(ctx: Context, rule: CorsRule): void {
  ctx.vary('Access-Control-Request-Method');
  ctx.vary('Access-Control-Request-Headers');
  const problem = preflightProblem(ctx, rule);
  if (problem !== null) {
    ctx.status = 400;
    ctx.body = { detail: problem };
    return;
  }
  ctx.set('Access-Control-Allow-Methods', rule.methods.join(', '));
  ctx.set('Access-Control-Allow-Headers', rule.headers.join(', '));
  ctx.set('Access-Control-Max-Age', String(PREFLIGHT_CACHE_S));
  ctx.status = 200;
  ctx.body = 'OK';
}

function preflightProblem(ctx: Context, rule: CorsRule): string | null {
  if (!rule.isAllowed(ctx.get('Origin'))) {
    return 'Disallowed CORS origin';
  }
  if (!rule.methods.includes(ctx.get('Access-Control-Request-Method'))) {
    return 'Disallowed CORS method';
  }
  const allowed = rule.headers.map((name) => name.toLowerCase());
  const wanted = ctx.get('Access-Control-Request-Headers').toLowerCase().split(',');
  const isHeaderAllowed = (name: string): boolean => name === '' || allowed.includes(name);
  return wanted.map((name) => name.trim()).every(isHeaderAllowed)
    ? null
    : 'Disallowed CORS headers';
}
