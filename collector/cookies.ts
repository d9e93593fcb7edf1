/**
 * Cookies for as long as one page is fetched: walls set one, redirect to themselves, and let in who
 * brings it back. Each goes to the host that has set it, and nothing is kept.
 */
export interface CookieJar {
  keep(url: URL, lines: readonly string[]): void;
  /** '' where there is none. */
  headerFor(url: URL): string;
}

const MAX_COOKIES = 20;
const MAX_COOKIE_CHARACTERS = 2_048;
/** Source: RFC 6265 §4.1.1, without quotes. */
const PAIR = /^([\w!#$%&'*+.^`|~-]+)=([\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*)$/;

export function createCookieJar(): CookieJar {
  const hosts = new Map<string, Map<string, string>>();
  return {
    keep({ host }, lines) {
      const kept = hosts.get(host) ?? new Map<string, string>();
      for (const line of lines) {
        const [pair = ''] = line.split(';');
        const [, name, value] = PAIR.exec(pair.trim().slice(0, MAX_COOKIE_CHARACTERS)) ?? [];
        if (name !== undefined && value !== undefined && kept.size < MAX_COOKIES) {
          kept.set(name, value);
        }
      }
      hosts.set(host, kept);
    },
    headerFor({ host }) {
      const kept = [...(hosts.get(host) ?? [])];
      return kept.map(([name, value]) => `${name}=${value}`).join('; ');
    },
  };
}
