/** Keeps pages of other sites from asking in their visitors' name, and from reaching a local server at all. */
import type { IncomingMessage } from 'node:http';
import { DomainError } from '../../../domain/errors.js';
import { InvalidInput } from '../schemas/problems.js';
import { plainAddress } from './client-ip.js';
import type { ApiMiddleware } from './state.js';

export interface OriginConfig {
  readonly corsOrigins: readonly string[];
}

/**
 * Whether a page may ask: one of our own host, or of an origin that CORS allows. What names no
 * origin is no page, unless its browser says that it comes from another site.
 */
export function isAllowedPage(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { corsOrigins }: OriginConfig,
): boolean {
  const { origin } = headers;
  if (origin === undefined) {
    return headers['sec-fetch-site'] !== 'cross-site';
  }
  return corsOrigins.includes(origin) || corsOrigins.includes('*') || isOwnPage({ headers });
}

function isOwnPage({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const { origin = '', host = '' } = headers;
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/**
 * For what a cookie does: browsers name the origin of every page that asks, and send the cookie
 * from other ports of the same host, too. Origins that CORS allows have their own tokens.
 *
 * @throws `not-permitted`
 */
export function requireOwnPage(): ApiMiddleware {
  return async (ctx, next) => {
    if (!isOwnPage(ctx.req)) {
      throw new DomainError('not-permitted', 'Only for pages of this host (header Origin)');
    }
    await next();
  };
}

/**
 * For what is open to everybody: a page of another site must use up no attempts of its visitor, and
 * must not register or sign in. A browser sends JSON to another origin only where that allows it.
 *
 * @throws `not-permitted`, InvalidInput
 */
export function refuseForeignPages(config: OriginConfig): ApiMiddleware {
  return async (ctx, next) => {
    if (!isAllowedPage(ctx.req, config)) {
      throw new DomainError('not-permitted', 'Requests of other sites are not allowed here');
    }
    if (ctx.is('json', '+json') === false || ctx.get('Content-Type') === '') {
      const msg = 'Input should be JSON, with Content-Type: application/json';
      throw new InvalidInput([{ field: 'unknown', msg }]);
    }
    await next();
  };
}

export interface HostConfig {
  /** Where the server listens. */
  readonly host: string;
  readonly trustedProxyCount: number;
  /** Names under which it is reached besides; none: not checked unless it listens on loopback. */
  readonly allowedHosts: readonly string[];
  /** Their names serve a part of the API, too. */
  readonly temporalUiOrigins: readonly string[];
}

/**
 * A page whose name has been pointed at this machine (DNS rebinding) is of our own origin to its
 * browser; only the name in `Host` gives it away. Behind a proxy the name is the proxy's to check.
 */
export function isAllowedHost(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { host, trustedProxyCount, allowedHosts, temporalUiOrigins }: HostConfig,
): boolean {
  const isChecked = allowedHosts.length > 0 || (trustedProxyCount === 0 && isLoopback(host));
  if (!isChecked || headers.host === undefined) {
    return true; // without the header it is no browser
  }
  const name = nameOf(headers.host);
  const allowed = [...allowedHosts, ...temporalUiOrigins.map((origin) => new URL(origin).host)];
  return isLoopback(name) || allowed.some((other) => nameOf(other) === name);
}

/** @param host with or without a port */
function nameOf(host: string): string {
  const lower = host.trim().toLowerCase();
  return plainAddress(lower) ?? lower.replace(/:\d{1,5}$/, '').replace(/\.$/, '');
}

/** Names below `localhost` lead nowhere else. Source: RFC 6761 §6.3 */
function isLoopback(name: string): boolean {
  const plain = nameOf(name);
  return (
    plain === 'localhost' ||
    plain.endsWith('.localhost') ||
    plain === '::1' ||
    /^127(?:\.\d{1,3}){3}$/.test(plain)
  );
}

export function checkHost(config: HostConfig): ApiMiddleware {
  return async (ctx, next) => {
    if (!isAllowedHost(ctx.req, config)) {
      ctx.status = 421;
      ctx.body = { detail: 'This server is not reached under that name (see ALLOWED_HOSTS)' };
      return;
    }
    await next();
  };
}
