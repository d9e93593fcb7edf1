import type { Middleware, ParameterizedContext } from 'koa';
import type { Logger } from '../../../telemetry/logger.js';
import type { SignedInUser } from '../route.js';

/** What the middleware knows of a request. */
export interface RequestState {
  requestId: string;
  log: Logger;
  /** The route's answer, once there is one. */
  answer: unknown;
  /** Where it holds ids; see `RouteSpec`. */
  yields: Readonly<Record<string, string>>;
  /** The caller, once `authenticate` has found out. */
  user: SignedInUser | null;
}

export type Context = ParameterizedContext<RequestState>;
export type ApiMiddleware = Middleware<RequestState>;
