/** Payloads of workflows, made readable for administrators: in the Temporal Web UI, or one by one. */
import { recordAdminAction } from '../../../db/audit/admin-actions.js';
import { DomainError } from '../../../domain/errors.js';
import { MAX_PAYLOADS_BYTES, payloadsBody } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import {
  operatorCookie,
  readOperatorCookie,
  withoutOperatorCookie,
} from '../../auth/operator-cookie.js';
import { SIGN_IN_POLICY, viewSignIn } from '../../auth/operator-page.js';
import { pageSchema } from '../../http/openapi.js';
import { defineRoute, type Route } from '../../http/route.js';
import { OPERATOR_SECONDS } from '../../auth/tokens.js';
import { decodedSchema } from './views.js';
import { error } from '../../http/error-views.js';

export type CodecDeps = Pick<AppDeps, 'db' | 'tokens' | 'decodePayloads' | 'logger' | 'config'>;

const TAG = { tag: 'operation' } as const;

export function createCodecRoutes(deps: CodecDeps): readonly Route[] {
  return [decodeRoute(deps), signInPageRoute(), signInRoute(deps), signOutRoute(deps)];
}

/** Source: temporalio/samples-go, codec-server/protocol.md. There is no `encode`. */
function decodeRoute({ decodePayloads, logger }: CodecDeps): Route {
  return defineRoute(
    {
      ...TAG,
      auth: 'user',
      action: 'payload:decode',
      byOperatorCookie: true,
      method: 'POST',
      path: '/codec/decode',
      summary: 'Payloads of workflows in readable form; what cannot be opened comes back as it was',
      body: payloadsBody,
      maxBodyBytes: MAX_PAYLOADS_BYTES,
      responses: { 200: { description: 'In order', schema: decodedSchema } },
    },
    async ({ user, body }) => {
      const { payloads, unreadable } = await decodePayloads(body.payloads);
      if (unreadable > 0) {
        logger.warn('payloads not readable', { userId: user.id, payloads: unreadable });
      }
      return { status: 200, body: { payloads: payloads.map((payload) => ({ ...payload })) } };
    },
  );
}

function signInPageRoute(): Route {
  return defineRoute(
    {
      ...TAG,
      auth: 'none',
      method: 'GET',
      path: '/codec/sign-in',
      summary: 'A page on which administrators let their Temporal Web UI read payloads',
      responses: { 200: { description: 'A page', schema: pageSchema } },
    },
    ({ header }) => ({
      status: 200,
      body: viewSignIn(readOperatorCookie(header('Cookie')) !== null),
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': SIGN_IN_POLICY,
        'Cache-Control': 'no-store',
      },
    }),
  );
}

/** Pages of other origins cannot use it: it requires a token that only a sign-in gives. */
function signInRoute({ db, tokens, config: { temporalUiOrigins } }: CodecDeps): Route {
  return defineRoute(
    {
      ...TAG,
      auth: 'user',
      action: 'payload:decode',
      method: 'POST',
      path: '/codec/session',
      summary: 'Set the cookie with which the Temporal Web UI reads payloads',
      responses: {
        204: { description: 'Set, for eight hours at most', schema: null },
        400: error('An API key begins no session'),
      },
    },
    async ({ user: { id: userId, sessionId }, header }) => {
      if (sessionId === null) {
        throw new DomainError(
          'invalid-input',
          'Sign in with a password: an API key begins no session',
        );
      }
      const token = await tokens.issueOperator({ userId, sessionId });
      await recordAdminAction(db, {
        actorId: userId,
        action: 'payload:decode',
        subject: `user:${userId}`,
        details: { seconds: OPERATOR_SECONDS },
      });
      return {
        status: 204,
        body: null,
        headers: {
          'Set-Cookie': operatorCookie(token, { host: header('Host'), temporalUiOrigins }),
        },
      };
    },
  );
}

function signOutRoute({ config: { temporalUiOrigins } }: CodecDeps): Route {
  return defineRoute(
    {
      ...TAG,
      auth: 'none',
      method: 'DELETE',
      path: '/codec/session',
      summary: 'Remove that cookie',
      responses: { 204: { description: 'Removed', schema: null } },
    },
    ({ header }) => ({
      status: 204,
      body: null,
      headers: { 'Set-Cookie': withoutOperatorCookie({ host: header('Host'), temporalUiOrigins }) },
    }),
  );
}
