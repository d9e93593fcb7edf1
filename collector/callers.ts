/** Who may ask the collector: programs that know its secret, never a page in a browser. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { isFromPage, isLoopbackHost } from '../domain/security/loopback-hosts.js';

export interface CallerRules {
  /** What workers send as `Authorization: Bearer …`; null: nothing is asked for. */
  readonly secret: string | null;
  /** The collector listens on loopback: only names of this machine are its own. */
  readonly isLoopback: boolean;
  /** Open to all: those who watch it. */
  readonly openPaths: readonly string[];
}

export function refuseStrangers(rules: CallerRules): Middleware {
  return async (ctx, next) => {
    const refusal = refusalOf(ctx, rules);
    if (refusal === null) {
      await next();
      return;
    }
    ctx.status = refusal.status;
    ctx.body = { detail: refusal.detail };
  };
}

function refusalOf(
  ctx: Context,
  { secret, isLoopback, openPaths }: CallerRules,
): { readonly status: number; readonly detail: string } | null {
  if (isLoopback && !isLoopbackHost(ctx.get('Host'))) {
    return { status: 421, detail: 'This host is not served here' };
  }
  const { origin, 'sec-fetch-site': fetchSite } = ctx.req.headers;
  if (isFromPage({ origin, fetchSite: [fetchSite].flat()[0] })) {
    return { status: 403, detail: 'Pages may not ask the collector' };
  }
  if (secret !== null && !openPaths.includes(ctx.path) && !isBearer(ctx, secret)) {
    return { status: 401, detail: 'Not authenticated' };
  }
  return null;
}

function isBearer(ctx: Context, secret: string): boolean {
  const given = ctx.get('Authorization');
  return timingSafeEqual(digestOf(given), digestOf(`Bearer ${secret}`));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
