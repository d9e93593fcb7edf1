import { inWork } from '../../../telemetry/work-scope.js';
import type { ApiMiddleware } from './state.js';

/** Lets the watchdog name the request that holds the loop. @param endpointOf a path's route */
export function nameWork(endpointOf: (path: string) => string): ApiMiddleware {
  return (ctx, next) => {
    const { method, path, state } = ctx;
    const { requestId } = state;
    return inWork({ work: 'request', method, route: endpointOf(path), requestId }, next);
  };
}
