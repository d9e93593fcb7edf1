/** Why a page was not collected: what the data collector says, and what its clients make of it. */

export const CRAWL_FAILURES = [
  'refused-address',
  'unresolvable',
  'connection-failed',
  'tls-failed',
  'timeout',
  'page-status',
  'page-unavailable',
  'bad-redirect',
  'disallowed-by-robots',
  'content-type',
  'too-large',
  'unreadable',
  'no-text',
  'interrupted',
] as const;
export type CrawlFailure = (typeof CRAWL_FAILURES)[number];

/** Those that may have passed by the next attempt. */
const PASSING: readonly string[] = [
  'connection-failed',
  'timeout',
  'page-unavailable',
  'interrupted',
] satisfies CrawlFailure[];

/** For people, and with its code for programs: `the page answered with … (page-unavailable)`. */
export function crawlErrorText(code: CrawlFailure, words: string): string {
  return `${words} (${code})`;
}

/** Those that are a refusal, not a mishap. */
const REFUSALS: readonly string[] = [
  'refused-address',
  'disallowed-by-robots',
] satisfies CrawlFailure[];

/** Whether a collection's `error` is worth another attempt; what we do not know is not. */
export function isPassingCrawlError(error: string): boolean {
  return PASSING.includes(codeIn(error));
}

/** Whether a collection's `error` says that the page must not be collected. */
export function isRefusedCrawlError(error: string): boolean {
  return REFUSALS.includes(codeIn(error));
}

/** The code that a collection's `error` ends with; null: none of those that we know. */
export function crawlFailureIn(error: string): CrawlFailure | null {
  const named = codeIn(error);
  return CRAWL_FAILURES.find((code) => code === named) ?? null;
}

function codeIn(error: string): string {
  return /\(([a-z-]+)\)$/.exec(error)?.[1] ?? '';
}
