/**
 * The cookie that keeps a browser signed in: its refresh token, which no script can read, no other
 * site can send, and no other path is sent.
 */
import { cookiePairsOf } from '../http/cookies.js';

export const SESSION_COOKIE = 'agentforge_session';
export const SESSION_PATH = '/api/v1/auth/session';

/** @param origin of the page; it says whether the browser is connected by HTTPS */
export function sessionCookie(
  refreshToken: string,
  { origin, expiresAt }: { origin: string; expiresAt: Date },
): string {
  return cookieOf(refreshToken, { origin, expiry: `Expires=${expiresAt.toUTCString()}` });
}

export function withoutSessionCookie(origin: string): string {
  return cookieOf('', { origin, expiry: 'Max-Age=0' });
}

function cookieOf(value: string, { origin, expiry }: { origin: string; expiry: string }): string {
  const isSecure = new URL(origin).protocol === 'https:';
  const attributes = [
    `${SESSION_COOKIE}=${value}`,
    expiry,
    `Path=${SESSION_PATH}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(isSecure ? ['Secure'] : []),
  ];
  return attributes.join('; ');
}

/** @param header `Cookie` of a request @returns null without a value */
export function readSessionCookie(header: string): string | null {
  const prefix = `${SESSION_COOKIE}=`;
  const value = cookiePairsOf(header)
    .find((pair) => pair.startsWith(prefix))
    ?.slice(prefix.length);
  return value === undefined || value === '' ? null : value;
}
