/** Names of this machine, as a browser on it writes them. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * Whether a request names this machine. A server on loopback takes no others: a page on the
 * internet may have its own name resolve to 127.0.0.1, but it cannot change the name it asks for.
 *
 * @param host the `Host` header
 */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}

/** @param address that a server listens on */
export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.test(address.includes(':') ? `[${address}]` : address);
}

/** Whether a browser sends it for a page of some site; programs send none of these headers. */
export function isFromPage(headers: {
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}): boolean {
  const { origin, fetchSite = 'none' } = headers;
  return origin !== undefined || !['none', 'same-origin'].includes(fetchSite);
}
