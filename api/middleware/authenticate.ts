/** Finds out who calls. Source of order and texts: contract, http §1.1. */
import { useApiKey } from '../../db/api-keys.js';
import type { Db } from '../../db/connect.js';
import { isSessionOpen } from '../../db/refresh-tokens.js';
import { findUser, type UserRow } from '../../db/users.js';
import { DomainError } from '../../domain/errors.js';
import { hashApiKey } from '../api-key.js';
import { readOperatorCookie } from '../operator-cookie.js';
import type { SignedInUser } from '../route.js';
import type { Tokens } from '../tokens.js';
import type { ApiMiddleware, Context } from './state.js';

export interface AuthenticateDeps {
  readonly db: Db;
  readonly tokens: Tokens;
}

/** Where a cookie signs in: only for pages of these origins, which a foreign page cannot name. */
export interface OperatorRule {
  readonly origins: readonly string[];
}

/** An API key decides alone where there is one; else the Bearer token, else the operator's cookie. */
export function authenticate(
  deps: AuthenticateDeps,
  operators: OperatorRule | null = null,
): ApiMiddleware {
  return async (ctx, next) => {
    ctx.state.user = await findCaller(deps, ctx, operators);
    await next();
  };
}

async function findCaller(
  { db, tokens }: AuthenticateDeps,
  ctx: Context,
  operators: OperatorRule | null,
): Promise<SignedInUser> {
  const apiKey = ctx.get('X-API-Key');
  if (apiKey !== '') {
    return userOfKey(db, apiKey);
  }
  const bearer = ctx.get('Authorization');
  const cookie = operators === null ? null : readOperatorCookie(ctx.get('Cookie'));
  if (bearer === '' && cookie !== null && operators?.origins.includes(ctx.get('Origin')) === true) {
    return userOfCookie({ db, tokens }, cookie);
  }
  return userOfToken(db, await tokens.readAccess(bearerOf(bearer)));
}

async function userOfCookie(
  { db, tokens }: AuthenticateDeps,
  token: string,
): Promise<SignedInUser> {
  const { userId, sessionId } = await tokens.readOperator(token);
  if (!(await isSessionOpen(db, { userId, familyId: sessionId }))) {
    throw new DomainError('not-authenticated', 'The session has ended');
  }
  return userOfToken(db, { userId, sessionId });
}

async function userOfKey(db: Db, apiKey: string): Promise<SignedInUser> {
  const row = await useApiKey(db, hashApiKey(apiKey)); // a key without its user cannot exist (cascade)
  if (row === undefined) {
    throw new DomainError('not-authenticated', 'Invalid API key');
  }
  return signedIn(row);
}

async function userOfToken(
  db: Db,
  { userId, sessionId }: { userId: string; sessionId: string | null },
): Promise<SignedInUser> {
  const row = await findUser(db, userId);
  if (row === undefined) {
    throw new DomainError('not-authenticated', 'User not found');
  }
  refuseDisabled(row);
  return signedIn(row, sessionId);
}

/** @throws `not-authenticated` */
export function refuseDisabled({ disabledAt }: Pick<UserRow, 'disabledAt'>): void {
  if (disabledAt !== null) {
    throw new DomainError('not-authenticated', 'The account is disabled');
  }
}

function bearerOf(header: string): string {
  const token = /^bearer\s+(\S+)\s*$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new DomainError('not-authenticated', 'Not authenticated');
  }
  return token;
}

function signedIn(
  { id, email, displayName, role }: UserRow,
  sessionId: string | null = null,
): SignedInUser {
  return { id, email, displayName, role, sessionId };
}
