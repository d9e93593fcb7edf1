import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Registry } from 'prom-client';
import { newCollectionBody, problemsOf, type FieldProblem } from './bodies.js';
import type { Collections } from './collections.js';
import type { Outcome } from './outcome.js';
import { viewCollection, viewCompliance, viewData } from './views.js';

/** Source: contract, http §2. */
export const VERSION = '0.2.0';

export const QUIET_PATHS = ['/metrics', '/api/v1/health', '/readyz'];

export interface RouteDeps {
  readonly collections: Collections;
  readonly registry: Registry;
  /** Rejects while Redis is away. */
  readonly checkStore: () => Promise<unknown>;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
}

export function createRoutes(deps: RouteDeps): Router {
  const router = new Router();
  addOperation(router, deps);
  addCollections(router, deps);
  return router;
}

function addOperation(router: Router, { registry, checkStore }: RouteDeps): void {
  router.get('/api/v1/health', (ctx) => {
    ctx.body = { status: 'healthy', service: 'data-collector', version: VERSION };
  });
  router.get('/readyz', async (ctx) => {
    await checkStore();
    ctx.body = { status: 'ready' };
  });
  router.get('/metrics', async (ctx) => {
    ctx.set('Content-Type', registry.contentType);
    ctx.body = await registry.metrics();
  });
}

function addCollections(router: Router, { collections, stopping }: RouteDeps): void {
  const place = '/api/v1/collections';
  router.post(place, readBody(), async (ctx) => {
    const parsed = newCollectionBody.safeParse(ctx.request.body);
    if (!parsed.success) {
      refuse(ctx, problemsOf(parsed.error));
      return;
    }
    const { url, source_type: sourceType } = parsed.data;
    const caller = ctx.req.socket.remoteAddress ?? 'unknown';
    const outcome = await collections.create({ url, sourceType, caller });
    if (outcome.kind === 'blocked') {
      refuse(ctx, [{ field: 'url', msg: `Value error, ${outcome.reason}` }]);
      return;
    }
    answer(ctx, outcome, viewCollection);
    ctx.status = outcome.kind === 'done' ? 201 : ctx.status;
  });
  router.get(`${place}/:id/status`, async (ctx) => {
    answer(ctx, await collections.status(idOf(ctx)), viewCollection);
  });
  const checkCompliance = working(stopping, collections.checkCompliance, viewCompliance);
  router.get(`${place}/:id/compliance`, checkCompliance);
  router.post(`${place}/:id/compliance`, checkCompliance); // as the original's README has it
  router.post(`${place}/:id/collect`, working(stopping, collections.collect, viewCollection));
  router.get(`${place}/:id/data`, async (ctx) => {
    answer(ctx, await collections.data(idOf(ctx)), viewData);
  });
}

/** The only body is a small object. */
const BODY_LIMIT = '64kb';

function readBody(): Middleware {
  const read = bodyParser({ enableTypes: ['json'], jsonStrict: false, jsonLimit: BODY_LIMIT });
  return async (ctx, next) => {
    if (ctx.is('json', '+json') === false || ctx.get('Content-Type') === '') {
      tell(ctx, 415, 'Only application/json is read'); // a page may send all others anywhere
      return;
    }
    try {
      await read(ctx, () => Promise.resolve());
    } catch (error) {
      if (error instanceof Error && 'status' in error && error.status === 413) {
        tell(ctx, 413, 'Request body too large');
      } else {
        refuse(ctx, [{ field: 'unknown', msg: 'JSON decode error' }]);
      }
      return;
    }
    await next();
  };
}

function idOf(ctx: Context): string {
  const params: unknown = ctx['params'];
  const id: unknown =
    typeof params === 'object' && params !== null ? Reflect.get(params, 'id') : '';
  return typeof id === 'string' ? id : '';
}

function refuse(ctx: Context, problems: readonly FieldProblem[]): void {
  ctx.status = 422;
  ctx.body = { detail: problems };
}

function answer<T>(ctx: Context, outcome: Outcome<T>, view: (value: T) => object): void {
  switch (outcome.kind) {
    case 'done':
      ctx.status = 200;
      ctx.body = view(outcome.value);
      return;
    case 'unknown':
      tell(ctx, 404, 'Collection not found');
      return;
    case 'too-early':
      tell(ctx, 400, outcome.reason);
      return;
    case 'blocked':
      tell(ctx, 403, `Collection is blocked: ${outcome.reason}`);
      return;
    case 'held':
      tell(ctx, 409, 'The collection is being worked on');
      return;
    case 'busy':
      tell(ctx, 503, outcome.reason);
      ctx.set('Retry-After', String(outcome.retryAfterSeconds));
      return;
  }
}

function tell(ctx: Context, status: number, detail: string): void {
  ctx.status = status;
  ctx.body = { detail };
}

type Work<T> = (id: string, signal: AbortSignal) => Promise<Outcome<T>>;

/** A client that hangs up needs the page no more: the crawl stops. */
function working<T>(stopping: AbortSignal, work: Work<T>, view: (value: T) => object): Middleware {
  return async (ctx) => {
    const hangUp = new AbortController();
    const abort = (): void => {
      hangUp.abort();
    };
    ctx.res.once('close', abort);
    try {
      const outcome = await work(idOf(ctx), AbortSignal.any([hangUp.signal, stopping]));
      answer(ctx, outcome, view);
    } finally {
      ctx.res.off('close', abort);
    }
  };
}
