/** The HTTP API: the order of its middleware on one screen. */
import Koa from 'koa';
import type { AppDeps } from '../deps.js';
import { mapErrors } from './middleware/errors.js';
import { cors, securityHeaders } from './middleware/headers.js';
import { checkHost } from './middleware/origin.js';
import { httpMetrics } from './middleware/metrics.js';
import { nameWork } from './middleware/name-work.js';
import { requestId, requestLog } from './middleware/request-log.js';
import { traceRequests } from './middleware/trace-requests.js';
import type { RequestState } from './middleware/state.js';
import { mountRoutes } from './mount.js';
import { createRoutes } from '../routes/index.js';
import { QUIET_PATHS } from '../routes/health/routes.js';
import { answerUnrouted, createRouter, endpointOf, routeOf } from './routing.js';

/** Serve it with `http.createServer(app.callback())`. */
export function createApp(deps: AppDeps): Koa<RequestState> {
  const router = createRouter();
  mountRoutes(router, createRoutes(deps), deps);

  const app = new Koa<RequestState>();
  app.use(requestId(deps.logger));
  app.use(nameWork((path) => endpointOf(router, path)));
  app.use(
    traceRequests({
      tracing: deps.tracing,
      quietPaths: QUIET_PATHS,
      routeOf: (path) => routeOf(router, path),
    }),
  );
  app.use(requestLog({ quietPaths: QUIET_PATHS }));
  app.use(
    httpMetrics({
      metrics: deps.metrics,
      unmeasuredPaths: QUIET_PATHS,
      endpointOf: (path) => endpointOf(router, path),
    }),
  );
  app.use(securityHeaders(deps.config));
  app.use(cors(deps.config));
  app.use(mapErrors());
  app.use(checkHost(deps.config));
  app.use(answerUnrouted(router));
  app.use(router.routes()); // per route: authenticate, limit, authorize, read the body, handle
  app.on('error', (error: Error) => {
    // only what breaks while an answer is being written: all else is answered by `mapErrors`
    deps.logger.error('response failed', { error });
  });
  return app;
}
