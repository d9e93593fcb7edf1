/** One page, from its address to its text. */
import { destinationOf } from '../domain/security/allowed-addresses.js';
import { CrawlFailed } from './crawl-failed.js';
import { createCookieJar, type CookieJar } from './cookies.js';
import type { SourceType } from './collection.js';
import type { Fetched, FetchPage } from './fetch-page.js';
import { refreshTarget } from './refresh.js';
import { ACCEPT, contentTypeOf, type ContentType } from './media-types.js';
import type { Pacing } from './pacing.js';
import type { Reader } from './reader.js';
import type { PageText } from './reading.js';
import type { Robots } from './robots.js';

export interface CrawlRequest {
  readonly url: URL;
  readonly sourceType: SourceType;
  /** Between two requests to the page's domain. */
  readonly delayMs: number;
  /** All requests are over; the page is being read. */
  onFetched(bytes: number): Promise<void>;
}

/** @throws CrawlFailed, DomainBusy, `unavailable` */
export type Crawl = (request: CrawlRequest, signal: AbortSignal) => Promise<PageText>;

export interface CrawlDeps {
  readonly fetchPage: FetchPage;
  readonly pacing: Pacing;
  readonly robots: Robots;
  readonly reader: Pick<Reader, 'readPage'>;
  /** From the first request to the text. */
  readonly timeoutMs: number;
  /** Of the page, before and after decompression. */
  readonly maxBytes: number;
}

export function createCrawl(deps: CrawlDeps): Crawl {
  return async (request, signal) => {
    const timeout = new AbortController();
    const limited = AbortSignal.any([signal, timeout.signal]);
    let timer: NodeJS.Timeout | undefined;
    try {
      const { url, delayMs } = request;
      await deps.pacing.takeTurn({ domain: destinationOf(url).host, intervalMs: delayMs }, signal);
      timer = setTimeout(() => {
        timeout.abort();
      }, deps.timeoutMs);
      return await crawlPage(request, deps, limited);
    } catch (error) {
      throw meaningOf(error, { isOver: signal.aborted, isLate: timeout.signal.aborted, deps });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** A page that only sends its reader on is followed, once. */
async function crawlPage(
  request: CrawlRequest,
  deps: CrawlDeps,
  signal: AbortSignal,
): Promise<PageText> {
  const cookies = createCookieJar();
  const { page, next } = await readAt(
    request.url,
    { order: request, deps, cookies, isFirst: true },
    signal,
  );
  const last =
    next === null
      ? page
      : (await readAt(next, { order: request, deps, cookies, isFirst: false }, signal)).page;
  if (last.text === '') {
    throw new CrawlFailed('no-text', 'the page holds no text; scripts are not run');
  }
  return last;
}

interface Visit {
  readonly order: CrawlRequest;
  readonly deps: CrawlDeps;
  readonly cookies: CookieJar;
  /** Before any `Refresh`. */
  readonly isFirst: boolean;
}

async function readAt(
  url: URL,
  { order: request, deps, cookies, isFirst }: Visit,
  signal: AbortSignal,
): Promise<{ readonly page: PageText; readonly next: URL | null }> {
  const { sourceType, onFetched } = request;
  const fetched = await deps.fetchPage(url, {
    accept: ACCEPT[sourceType],
    maxBytes: deps.maxBytes,
    isCut: false,
    signal,
    cookies,
    beforeRequest: async (at, hop) => {
      if (hop > 0 || !isFirst) {
        await prepareRedirect(at, deps, signal);
      }
    },
  });
  const inHead = fetched.status === 200 && isFirst ? refreshTarget(fetched.refresh) : null;
  const ahead = nextOf(fetched.url, inHead);
  if (ahead !== null) {
    return { page: NO_PAGE, next: ahead };
  }
  const { kind: contentKind, charset } = contentOf(fetched, sourceType);
  await onFetched(fetched.body.byteLength);
  const page = await deps.reader.readPage({ contentKind, charset, body: fetched.body }, signal);
  return { page, next: isFirst ? nextOf(fetched.url, page.refresh) : null };
}

const NO_PAGE: PageText = { title: '', text: '', piiTypes: [], refresh: null };

/** Another page of the web; one that shows itself again from time to time stays. */
function nextOf(base: URL, target: string | null): URL | null {
  if (target === null || !URL.canParse(target, base.href)) {
    return null;
  }
  const url = new URL(target, base);
  url.hash = '';
  const here = new URL(base);
  here.hash = '';
  return url.href === here.href || !/^https?:$/.test(url.protocol) ? null : url;
}

/** A redirect is one more request, to a site that has its own rules. */
async function prepareRedirect(url: URL, deps: CrawlDeps, signal: AbortSignal): Promise<void> {
  const { isAllowed, reason, delayMs } = await deps.robots.permit(url, signal);
  if (!isAllowed) {
    throw new CrawlFailed('disallowed-by-robots', `redirected to a page that is ${reason}`);
  }
  await deps.pacing.takeTurn({ domain: destinationOf(url).host, intervalMs: delayMs }, signal);
}

/** Source: RFC 9110 §15 and RFC 6585 §4: what may be otherwise in a moment. */
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];

function contentOf({ status, contentType, body }: Fetched, sourceType: SourceType): ContentType {
  if (status !== 200) {
    const code = PASSING_STATUSES.includes(status) ? 'page-unavailable' : 'page-status';
    throw new CrawlFailed(code, `the page answered with HTTP status ${status}`);
  }
  const content = contentTypeOf(contentType, sourceType, body);
  if (content === null) {
    const named = contentType === '' ? 'without a content type' : contentType.slice(0, 100);
    const words = `${named} is not collected from a source of type ${sourceType}`;
    throw new CrawlFailed('content-type', words);
  }
  return content;
}

function meaningOf(
  error: unknown,
  { isOver, isLate, deps }: { isOver: boolean; isLate: boolean; deps: CrawlDeps },
): unknown {
  if (isOver) {
    return new CrawlFailed('interrupted', 'no client waits for the page any more', {
      cause: error,
    });
  }
  if (isLate) {
    const words = `the page was not there within ${deps.timeoutMs / 1_000} s`;
    return new CrawlFailed('timeout', words, { cause: error });
  }
  return error;
}
