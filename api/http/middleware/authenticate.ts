/** Finds out who calls. Source of order and texts: contract, http §1.1. */
import { useApiKey } from '../../../db/users/api-keys.js';
import type { Db } from '../../../db/connect.js';
import {
  checkCredential,
  requireCredential,
  type Credential,
} from '../../../db/users/credentials.js';
import type { UserRow } from '../../../db/users/users.js';
import { DomainError } from '../../../domain/errors.js';
import { hashApiKey } from '../../auth/api-key.js';
import { readOperatorCookie } from '../../auth/operator-cookie.js';
import type { SignedInUser } from '../route.js';
import type { Tokens } from '../../auth/tokens.js';
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
    return userOfOperatorCookie({ db, tokens }, cookie);
  }
  const { userId, sessionId, issuedAt } = await tokens.readAccess(bearerOf(bearer));
  return userOfToken(db, { userId, sessionId, apiKeyId: null, issuedAt });
}

/** @throws `not-authenticated` */
export async function userOfOperatorCookie(
  { db, tokens }: AuthenticateDeps,
  token: string,
): Promise<SignedInUser> {
  const { userId, sessionId } = await tokens.readOperator(token);
  return userOfToken(db, { userId, sessionId, apiKeyId: null, issuedAt: null });
}

async function userOfKey(db: Db, apiKey: string): Promise<SignedInUser> {
  const used = await useApiKey(db, hashApiKey(apiKey));
  if (used === undefined) {
    throw badKey();
  }
  const credential = { ...used, sessionId: null, issuedAt: null };
  const state = await checkCredential(db, credential);
  if (state.kind === 'ended') {
    throw badKey();
  }
  return signedIn(state.user, credential);
}

function badKey(): DomainError {
  return new DomainError('not-authenticated', 'Invalid API key');
}

async function userOfToken(db: Db, credential: Credential): Promise<SignedInUser> {
  return signedIn(await requireCredential(db, credential), credential);
}

/** What the caller of a request was admitted with. */
export function credentialOf({ id, sessionId, apiKeyId, issuedAt }: SignedInUser): Credential {
  return { userId: id, sessionId, apiKeyId, issuedAt };
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
  { id, email, displayName, role, awaitingApprovalSince }: UserRow,
  { sessionId, apiKeyId, issuedAt }: Credential,
): SignedInUser {
  const isApproved = awaitingApprovalSince === null;
  return { id, email, displayName, role, isApproved, sessionId, apiKeyId, issuedAt };
}
