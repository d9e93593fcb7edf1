/** Which route serves a request: mounting, unknown paths, wrong methods, trailing slashes. */
import Router from '@koa/router';
import type { Next } from 'koa';
import { withoutTrailingSlashes } from '../../domain/text/trailing-slashes.js';
import type { ApiMiddleware, Context, RequestState } from './middleware/state.js';
import type { Route } from './route.js';

export const BASE_PATH = '/api/v1';

export type ApiRouter = Router<RequestState>;

export function createRouter(): ApiRouter {
  return new Router<RequestState>({ strict: true, sensitive: true });
}

/** `/conversations/{conversation_id}` → `/api/v1/conversations/{conversation_id}` */
export function fullPathOf({ spec }: Route): string {
  return spec.atRoot === true ? spec.path : `${BASE_PATH}${spec.path}`;
}

/** The path as the router spells it: `{id}` → `:id`. */
export function routerPathOf(route: Route): string {
  return fullPathOf(route).replace(/\{(\w+)\}/g, ':$1');
}

/** One label for everything that no route serves. */
const UNKNOWN_ENDPOINT = 'unknown';

/** A path's metrics label: its route with `{id}` for each parameter. */
export function endpointOf(router: ApiRouter, path: string): string {
  return routeOf(router, path) ?? UNKNOWN_ENDPOINT;
}

/** The route that serves a path, with `{id}` for each parameter. */
export function routeOf(router: ApiRouter, path: string): string | null {
  const [layer] = router.match(path, '').path;
  return typeof layer?.path === 'string' ? layer.path.replace(/:\w+/g, '{id}') : null;
}

/** What a path serves. One that is spelt out (`/templates/shared`) is no id of another. */
function methodsOf(router: ApiRouter, path: string): readonly string[] {
  const layers = router.match(path, '').path;
  const literal = layers.filter((layer) => layer.path === path);
  return (literal.length > 0 ? literal : layers).flatMap((layer) => layer.methods);
}

/** Answers what no route has answered: 307 to the path without slash, 405 or 404. */
export function answerUnrouted(router: ApiRouter): ApiMiddleware {
  return async (ctx: Context, next: Next) => {
    const methods = methodsOf(router, ctx.path);
    if (methods.includes(ctx.method)) {
      await next();
      return;
    }
    if (methods.length > 0) {
      ctx.set('Allow', [...new Set(methods)].join(', '));
      ctx.status = 405;
      ctx.body = { detail: 'Method Not Allowed' };
      return;
    }
    const withoutSlash = withoutTrailingSlashes(ctx.path);
    if (withoutSlash !== ctx.path && router.match(withoutSlash, ctx.method).path.length > 0) {
      ctx.body = null; // else Koa writes the status out as a text
      ctx.status = 307;
      ctx.set('Location', `${withoutSlash}${ctx.search}`);
      return;
    }
    ctx.status = 404;
    ctx.body = { detail: 'Not Found' };
  };
}
