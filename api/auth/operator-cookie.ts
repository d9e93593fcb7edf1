/**
 * The cookies that let an administrator's Temporal Web UI be seen and have payloads decoded: it knows
 * no other way to say who asks. Scripts cannot read them, other sites cannot send them, and nothing
 * else takes them.
 */
import { cookiePairsOf } from '../http/cookies.js';
import { OPERATOR_SECONDS } from './tokens.js';

export const OPERATOR_COOKIE = 'agentforge_operator';
/** No other path of this host, nor a server on another port of it, is sent the cookie. */
const COOKIE_PATH = '/api/v1/codec';
/** Of those who have signed in on the Web UI's own origin: there, it lets all of the Web UI be seen. */
const TEMPORAL_UI_COOKIE = 'agentforge_temporal_ui';
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

export interface CookiePlace {
  /** As the request names it: browsers keep no secure cookie of a plain connection. */
  readonly host: string;
  readonly temporalUiOrigins: readonly string[];
}

export function operatorCookie(token: string, place: CookiePlace): string {
  return cookieOf(token, place, OPERATOR_SECONDS);
}

export function withoutOperatorCookie(place: CookiePlace): string {
  return cookieOf('', place, 0);
}

function cookieOf(
  value: string,
  { host, temporalUiOrigins }: CookiePlace,
  maxAgeSeconds: number,
): string {
  const isTemporalUi = temporalUiOrigins.some((origin) => new URL(origin).host === host);
  const attributes = [
    `${isTemporalUi ? TEMPORAL_UI_COOKIE : OPERATOR_COOKIE}=${value}`,
    `Max-Age=${maxAgeSeconds}`,
    `Path=${isTemporalUi ? '/' : COOKIE_PATH}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(LOOPBACK.test(host) ? [] : ['Secure']),
  ];
  return attributes.join('; ');
}

/** @param header of a request @returns null without a value */
export function readOperatorCookie(header: string): string | null {
  const pairs = cookiePairsOf(header);
  const values = [TEMPORAL_UI_COOKIE, OPERATOR_COOKIE].map((name) =>
    pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1),
  );
  return values.find((value) => value !== undefined && value !== '') ?? null;
}

/** What of a request's cookies is not ours. */
export function withoutOperatorCookies(header: string): string {
  const isOurs = (pair: string): boolean =>
    [TEMPORAL_UI_COOKIE, OPERATOR_COOKIE].some((name) => pair.startsWith(`${name}=`));
  return cookiePairsOf(header)
    .filter((pair) => !isOurs(pair))
    .join('; ');
}
