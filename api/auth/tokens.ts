import { CompactSign, errors, jwtVerify, type JWTPayload } from 'jose';
import { DomainError } from '../../domain/errors.js';
import { isUuid } from '../../domain/ids.js';
import { isRole, type Role } from '../../domain/account/permissions.js';

export interface TokenSettings {
  readonly secretKey: string;
  readonly algorithm: 'HS256' | 'HS384' | 'HS512';
  readonly accessMinutes: number;
  readonly refreshDays: number;
}

export interface TokenOwner {
  readonly id: string;
  readonly role: Role;
  readonly email: string;
  readonly displayName: string;
}

export interface AccessClaims {
  readonly userId: string;
  readonly role: Role;
  /** null in a token that names none */
  readonly sessionId: string | null;
  readonly issuedAt: Date;
}

/** JSON web tokens. Source of claims and failures: contract, security §1 and http §1.1. */
export interface Tokens {
  /** How long an access token counts. */
  readonly accessSeconds: number;
  /** @param sessionId family of the refresh token beside it */
  issueAccess(user: TokenOwner, sessionId?: string): Promise<string>;
  /** @param id becomes the `jti`; its row decides whether the token may still be used. */
  issueRefresh(token: { id: string; userId: string; expiresAt: Date }): Promise<string>;
  refreshExpiry(now: Date): Date;
  /** For the operator's cookie; it lasts as long as its session, and no longer than a shift. */
  issueOperator(token: { userId: string; sessionId: string }): Promise<string>;
  /** @throws `not-authenticated` with the contract's text. */
  readAccess(token: string): Promise<AccessClaims>;
  /** @throws `not-authenticated` with the contract's text. */
  readRefresh(token: string): Promise<{ userId: string; id: string }>;
  /** @throws `not-authenticated` */
  readOperator(token: string): Promise<{ userId: string; sessionId: string }>;
}

const MINUTE_S = 60;
const DAY_MS = 86_400_000;
/** A shift. */
export const OPERATOR_SECONDS = 8 * 3_600;
/** Clocks of two API processes may differ by this much. */
const CLOCK_SKEW_S = 1;

export function createTokens(settings: TokenSettings): Tokens {
  const key = new TextEncoder().encode(settings.secretKey);
  const sign = (claims: JWTPayload, owner: { id: string; expiresAt: number }): Promise<string> =>
    new CompactSign(
      plainJson({ ...claims, sub: owner.id, iat: nowSeconds(), exp: owner.expiresAt }),
    )
      .setProtectedHeader({ alg: settings.algorithm, typ: 'JWT' })
      .sign(key);
  const read = async (token: string, type: TokenType): Promise<OwnedClaims> =>
    ownedClaims(await verify(token, { key, algorithm: settings.algorithm }), type);

  const accessSeconds = Math.round(settings.accessMinutes * MINUTE_S);

  return {
    accessSeconds,
    issueAccess: (user, sessionId) =>
      sign(
        {
          type: 'access',
          role: user.role,
          email: user.email,
          display_name: user.displayName,
          sid: sessionId,
        },
        { id: user.id, expiresAt: nowSeconds() + accessSeconds },
      ),
    issueRefresh: ({ id, userId, expiresAt }) =>
      sign(
        { type: 'refresh', jti: id },
        { id: userId, expiresAt: Math.floor(expiresAt.getTime() / 1_000) },
      ),
    issueOperator: ({ userId, sessionId }) =>
      sign(
        { type: 'operator', sid: sessionId },
        { id: userId, expiresAt: nowSeconds() + OPERATOR_SECONDS },
      ),
    refreshExpiry: (now) => new Date(now.getTime() + settings.refreshDays * DAY_MS),
    async readAccess(token) {
      const claims = await read(token, 'access');
      // a token without a role carries the least rights; REST reads the role from the database
      const { sid } = claims;
      const sessionId = typeof sid === 'string' && isUuid(sid) ? sid : null;
      return {
        userId: claims.sub,
        role: isRole(claims.role) ? claims.role : 'free',
        sessionId,
        issuedAt: new Date((claims.iat ?? 0) * 1_000), // the oldest of all where it does not say
      };
    },
    async readRefresh(token) {
      const claims = await read(token, 'refresh');
      if (claims.jti === undefined || !isUuid(claims.jti)) {
        throw refused('Invalid token');
      }
      return { userId: claims.sub, id: claims.jti };
    },
    async readOperator(token) {
      const { sub: userId, sid: sessionId } = await read(token, 'operator');
      if (typeof sessionId !== 'string' || !isUuid(sessionId)) {
        // only we sign, and always with one: a token of some later version
        throw refused('Invalid token');
      }
      return { userId, sessionId };
    },
  };
}

/**
 * JSON whose base64url is plain base64 as well, so that clients may read it with `atob`: ASCII
 * without the three characters that base64 can turn into `+` or `/`, everything else escaped.
 */
function plainJson(claims: JWTPayload): Uint8Array {
  const json = JSON.stringify(claims).replace(
    /[^ -=@-}]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new TextEncoder().encode(json);
}

type OwnedClaims = JWTPayload & { sub: string };

async function verify(
  token: string,
  { key, algorithm }: { key: Uint8Array; algorithm: string },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [algorithm],
      requiredClaims: ['exp', 'sub'],
    });
    return payload;
  } catch (cause) {
    throw refused(cause instanceof errors.JWTExpired ? 'Token has expired' : 'Invalid token');
  }
}

type TokenType = 'access' | 'refresh' | 'operator';

function ownedClaims(claims: JWTPayload, type: TokenType): OwnedClaims {
  const { sub, iat } = claims;
  if (iat !== undefined && !(iat <= nowSeconds() + CLOCK_SKEW_S)) {
    throw refused('Invalid token'); // in the future, or no number at all
  }
  if (claims['type'] !== type) {
    throw refused('Invalid token type');
  }
  if (sub === undefined || !isUuid(sub)) {
    throw refused('Invalid token');
  }
  return { ...claims, sub };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}

function refused(detail: string): DomainError {
  return new DomainError('not-authenticated', detail);
}
