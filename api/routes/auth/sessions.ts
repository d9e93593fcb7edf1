/** Sessions of browsers: the refresh token stays in a cookie, scripts see access tokens only. */
import { endAllSessions } from '../../../db/users/users.js';
import { DomainError } from '../../../domain/errors.js';
import {
  readSessionCookie,
  SESSION_PATH,
  sessionCookie,
  withoutSessionCookie,
} from '../../auth/session-cookie.js';
import {
  endSession,
  logIn,
  refresh,
  register,
  type SignInDeps,
  type TokenPair,
} from '../../auth/sign-in.js';
import { error } from '../../http/error-views.js';
import { defineRoute, type Call, type Route } from '../../http/route.js';
import { loginBody, registerBody } from './schemas.js';
import { accessSchema } from './views.js';

const PATH = SESSION_PATH.replace('/api/v1', '');

export function createSessionRoutes(deps: SignInDeps): readonly Route[] {
  return [
    registerRoute(deps),
    beginRoute(deps),
    refreshRoute(deps),
    endRoute(deps),
    endAllRoute(deps),
  ];
}

const OPEN = { tag: 'auth', auth: 'none', ownPagesOnly: true } as const;
const BEGIN = { ...OPEN, method: 'POST', authLimited: true } as const;

function registerRoute(deps: SignInDeps): Route {
  return defineRoute(
    {
      ...BEGIN,
      path: `${PATH}/register`,
      summary: 'Create an account and keep this browser signed in',
      body: registerBody,
      responses: {
        201: { description: 'Signed up and in; the cookie is set', schema: accessSchema },
        403: error('Registration is closed, or the request is not of our own page'),
        409: error('Email already registered'),
      },
    },
    async (call) => {
      const { email, password, display_name: displayName } = call.body;
      const pair = await register(deps, { email, password, displayName }, call.clientIp);
      return { status: 201, ...signedIn(deps, pair, call) };
    },
  );
}

function beginRoute(deps: SignInDeps): Route {
  return defineRoute(
    {
      ...BEGIN,
      path: PATH,
      summary: 'Sign in and keep this browser signed in',
      body: loginBody,
      responses: {
        200: { description: 'Signed in; the cookie is set', schema: accessSchema },
        401: error('Invalid email or password'),
      },
    },
    async (call) => {
      const pair = await logIn(deps, call.body, call.clientIp);
      return { status: 200, ...signedIn(deps, pair, call) };
    },
  );
}

function refreshRoute(deps: SignInDeps): Route {
  return defineRoute(
    {
      ...OPEN,
      bySessionCookie: true,
      method: 'POST',
      path: `${PATH}/refresh`,
      summary: 'A new access token and a new cookie; a cookie can be used once',
      responses: {
        200: { description: 'Both tokens are new', schema: accessSchema },
        401: error('Not signed in (any more); the cookie is removed'),
        429: error('Too many refreshes of this user'),
      },
    },
    async (call) => {
      try {
        const token = readSessionCookie(call.header('Cookie'));
        if (token === null) {
          throw new DomainError('not-authenticated', 'Not authenticated');
        }
        await takeRefresh(deps, token);
        return { status: 200, ...signedIn(deps, await refresh(deps, token), call) };
      } catch (failure) {
        if (failure instanceof DomainError && failure.code === 'not-authenticated') {
          return { status: 401, body: { detail: failure.message }, headers: signedOut(call) };
        }
        throw failure;
      }
    },
  );
}

/** Each page that loads refreshes, so this is no attempt to sign in; but each one stores a row. */
const REFRESHES = { capacity: 120, windowSeconds: 900 };

/** @throws `not-authenticated`, `too-many-requests` */
async function takeRefresh({ tokens, limiter }: SignInDeps, refreshToken: string): Promise<void> {
  const { userId } = await tokens.readRefresh(refreshToken);
  const taken = await limiter.take({ ...REFRESHES, key: `session:${userId}` }, 1);
  if (taken.kind === 'refused') {
    const { retryAfterSeconds } = taken;
    throw new DomainError('too-many-requests', 'Rate limit exceeded', { retryAfterSeconds });
  }
}

function endRoute(deps: SignInDeps): Route {
  return defineRoute(
    {
      ...OPEN,
      method: 'DELETE',
      path: PATH,
      summary: 'Sign this browser out: its session and access tokens end',
      responses: {
        204: { description: 'Signed out, or never signed in', schema: null },
        503: error('A part of the system is away'),
      },
    },
    async (call) => {
      const token = readSessionCookie(call.header('Cookie'));
      if (token !== null) {
        await endSession(deps, token).catch(ignoreInvalid);
      }
      return { status: 204, body: null, headers: signedOut(call) };
    },
  );
}

/** An invalid token is of no session that could end. */
function ignoreInvalid(failure: unknown): void {
  if (!(failure instanceof DomainError && failure.code === 'not-authenticated')) {
    throw failure;
  }
}

function endAllRoute({ db, userChanged }: SignInDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      method: 'DELETE',
      path: '/auth/sessions',
      summary: 'Sign out everywhere, here included; API keys stay',
      responses: { 204: { description: 'All sessions have ended', schema: null } },
    },
    async ({ user }) => {
      await endAllSessions(db, user.id);
      await userChanged(user.id);
      return { status: 204, body: null };
    },
  );
}

function signedIn({ tokens }: SignInDeps, pair: TokenPair, { header }: Pick<Call, 'header'>) {
  const expiresAt = tokens.refreshExpiry(new Date());
  return {
    body: {
      access_token: pair.access_token,
      token_type: pair.token_type,
      expires_in: tokens.accessSeconds,
    },
    headers: {
      'Set-Cookie': sessionCookie(pair.refresh_token, { origin: header('Origin'), expiresAt }),
      'Cache-Control': 'no-store',
    },
  };
}

function signedOut({ header }: Pick<Call, 'header'>): Record<string, string> {
  return { 'Set-Cookie': withoutSessionCookie(header('Origin')), 'Cache-Control': 'no-store' };
}
