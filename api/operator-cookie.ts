/**
 * The cookie that lets an administrator's Temporal Web UI have payloads decoded: it knows no other
 * way to say who asks. Scripts cannot read it, other sites cannot send it, and nothing else takes it.
 */
import { OPERATOR_SECONDS } from './tokens.js';

export const OPERATOR_COOKIE = 'agentforge_operator';
/** No other path of this host, nor a server on another port of it, is sent the cookie. */
const COOKIE_PATH = '/api/v1/codec';
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

/** @param host as the request names it: browsers keep no secure cookie of a plain connection */
export function operatorCookie(token: string, host: string): string {
  return cookieOf(token, { host, maxAgeSeconds: OPERATOR_SECONDS });
}

export function withoutOperatorCookie(host: string): string {
  return cookieOf('', { host, maxAgeSeconds: 0 });
}

function cookieOf(
  value: string,
  { host, maxAgeSeconds }: { host: string; maxAgeSeconds: number },
): string {
  const attributes = [
    `${OPERATOR_COOKIE}=${value}`,
    `Max-Age=${maxAgeSeconds}`,
    `Path=${COOKIE_PATH}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(LOOPBACK.test(host) ? [] : ['Secure']),
  ];
  return attributes.join('; ');
}

/** @param header of a request @returns null without a value */
export function readOperatorCookie(header: string): string | null {
  const pairs = header.split(';').map((pair) => pair.trim());
  const found = pairs.find((pair) => pair.startsWith(`${OPERATOR_COOKIE}=`));
  const value = found?.slice(OPERATOR_COOKIE.length + 1) ?? '';
  return value === '' ? null : value;
}
