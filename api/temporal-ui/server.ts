/**
 * The way to the Temporal Web UI, which knows no users and answers under any name: here it is for
 * administrators who have signed in, under names that are its own, and for its own pages alone.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Db } from '../../db/connect.js';
import { DomainError } from '../../domain/errors.js';
import { mayDo } from '../../domain/account/permissions.js';
import { HTTP_LIMITS } from '../../telemetry/http-limits.js';
import type { Logger } from '../../telemetry/logger.js';
import { createHttpServer } from '../http/server.js';
import { userOfOperatorCookie } from '../http/middleware/authenticate.js';
import { readOperatorCookie } from '../auth/operator-cookie.js';
import type { Tokens } from '../auth/tokens.js';
import { answer, forward, pathOf } from './forward.js';

export interface TemporalUiDeps {
  readonly db: Db;
  readonly tokens: Tokens;
  readonly logger: Logger;
  /** Serves the API: what signs in and decodes is there. */
  readonly api: RequestListener;
  /** `http://127.8.9.10:28233` */
  readonly upstream: string;
  /** Exact: `http://127.0.0.1:8233`. The Web UI has no other names. */
  readonly origins: readonly string[];
}

const SIGN_IN = '/api/v1/codec/sign-in';
/** What of the API is here, too, so that the Web UI's pages find it on their own origin. */
const OF_THE_API = [
  `GET ${SIGN_IN}`,
  'POST /api/v1/auth/login',
  'POST /api/v1/codec/session',
  'DELETE /api/v1/codec/session',
  'POST /api/v1/codec/decode',
];

/** The Web UI shows Markdown in frames of its own. */
const HEADERS = {
  'X-Frame-Options': 'SAMEORIGIN',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
  'Content-Security-Policy':
    "frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

const LIMITS = {
  ...HTTP_LIMITS,
  maxConnections: 200,
  /** That Markdown is part of the frame's address: a run of 100 agents, each letter escaped. */
  maxHeaderBytes: 262_144,
};

export function createTemporalUiServer(deps: TemporalUiDeps): Server {
  const handle: RequestListener = (request, response) => {
    void serve(deps, request, response).catch((error: unknown) => {
      deps.logger.error('temporal web ui: request failed', { error });
      answer(response, { status: 503, headers: HEADERS, detail: 'Not available now' });
    });
  };
  return createHttpServer(handle, HEADERS, LIMITS);
}

async function serve(
  deps: TemporalUiDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { headers, method = 'GET', url = '' } = request;
  const origin = deps.origins.find((own) => new URL(own).host === headers.host?.toLowerCase());
  if (origin === undefined) {
    answer(response, { status: 421, headers: HEADERS, detail: 'No Web UI has this name' });
    return;
  }
  if (!url.startsWith('/') || !isFromOwnPage(request, origin)) {
    answer(response, { status: 403, headers: HEADERS, detail: 'Not from a page of the Web UI' });
    return;
  }
  if (OF_THE_API.includes(`${method} ${pathOf(request)}`)) {
    deps.api(request, response);
    return;
  }
  const permission = await permissionOf(deps, headers.cookie ?? '');
  if (permission !== 'granted') {
    refuse(request, response, permission);
    return;
  }
  const { upstream, logger } = deps;
  forward(request, response, {
    ...{ upstream: { origin: upstream }, headers: HEADERS, origin },
    onError: (error) => {
      logger.warn('temporal web ui does not answer', { error });
    },
  });
}

/**
 * Browsers say where a request comes from. People may come from anywhere, by a link; pages of
 * other origins may have nothing here.
 */
function isFromOwnPage({ headers, method }: IncomingMessage, own: string): boolean {
  if (headers.origin !== undefined && headers.origin !== own) {
    return false;
  }
  const site = headers['sec-fetch-site'];
  const isVisit = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
  return site === undefined || ['same-origin', 'none'].includes(site) || isVisit;
}

type Permission = 'granted' | 'not-signed-in' | 'not-allowed';

async function permissionOf(deps: TemporalUiDeps, cookies: string): Promise<Permission> {
  const cookie = readOperatorCookie(cookies);
  if (cookie === null) {
    return 'not-signed-in';
  }
  try {
    const { role } = await userOfOperatorCookie(deps, cookie);
    return mayDo(role, 'payload:decode') ? 'granted' : 'not-allowed';
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not-authenticated') {
      return 'not-signed-in';
    }
    throw error;
  }
}

/** People are led to the sign-in page and back; programs get a status. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  permission: Exclude<Permission, 'granted'>,
): void {
  const { url = '/' } = request;
  if (permission === 'not-allowed') {
    answer(response, { status: 403, headers: HEADERS, detail: 'For administrators only' });
  } else if (isPage(request)) {
    const location = `${SIGN_IN}?next=${encodeURIComponent(url)}`;
    response.writeHead(302, { ...HEADERS, Location: location, 'Cache-Control': 'no-store' });
    response.end();
  } else {
    answer(response, { status: 401, headers: HEADERS, detail: `Sign in at ${SIGN_IN}` });
  }
}

/** Of the Web UI, what people see: its programs and its data are no pages. */
function isPage(request: IncomingMessage): boolean {
  const { method, headers } = request;
  const destination = headers['sec-fetch-dest'] ?? 'document';
  return (
    method === 'GET' && destination === 'document' && !/^\/(?:api|_app)\//.test(pathOf(request))
  );
}
