/** The data collector over HTTP. */
import { STATUS_CODES } from 'node:http';
import Koa from 'koa';
import type { Logger } from '../telemetry/logger.js';
import type { HttpMetrics } from '../telemetry/metrics.js';
import { refuseStrangers, type CallerRules } from './callers.js';
import { observe } from './middleware.js';
import { createRoutes, QUIET_PATHS, type RouteDeps } from './routes.js';

export interface AppDeps extends RouteDeps {
  readonly logger: Logger;
  readonly metrics: HttpMetrics;
  readonly callers: Omit<CallerRules, 'openPaths'>;
}

/** One label for everything that no route serves. */
const UNKNOWN_ENDPOINT = 'unknown';

export function createApp(deps: AppDeps): Koa {
  const router = createRoutes(deps);
  const endpointOf = (path: string): string => {
    const [layer] = router.match(path, '').path;
    return typeof layer?.path === 'string' ? layer.path.replace(':id', '{id}') : UNKNOWN_ENDPOINT;
  };
  const app = new Koa();
  app.use(observe({ ...deps, quietPaths: QUIET_PATHS, endpointOf }));
  app.use(async (ctx, next) => {
    await next();
    const { status } = ctx;
    const body: unknown = ctx.body;
    if (status >= 400 && body == null) {
      ctx.body = { detail: STATUS_CODES[status] ?? '' }; // what no route serves
      ctx.status = status;
    }
  });
  app.use(refuseStrangers({ ...deps.callers, openPaths: QUIET_PATHS }));
  app.use(router.routes());
  app.use(router.allowedMethods());
  app.on('error', (error: Error) => {
    deps.logger.error('response failed', { error }); // only what breaks while it is being written
  });
  return app;
}
