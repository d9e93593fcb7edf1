/** One page over guarded connections: redirects followed, sizes limited. */
import { request, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ACCEPTED_ENCODINGS, readBody, type BodyLimit } from './body.js';
import { createCookieJar, type CookieJar } from './cookies.js';
import { CrawlFailed } from './crawl-failed.js';
import type { Dial } from './dial.js';
import type { Guard } from './guard.js';

/** As which robots.txt is read. Source: contract, pipeline §3.3. */
export const USER_AGENT = 'AgentForgeBot/1.0';

export interface FetchRequest extends BodyLimit {
  /** Of the request: what is read with pleasure. */
  readonly accept: string;
  /** Before each request; `hop` counts the redirects before it. */
  beforeRequest(url: URL, hop: number): Promise<void>;
  readonly signal: AbortSignal;
  /** What the sites have set on the way; some answer only who brings it back. */
  readonly cookies?: CookieJar;
}

export interface Fetched {
  /** After all redirects. */
  readonly url: URL;
  readonly status: number;
  readonly contentType: string;
  /** Where its head sends the reader besides; '': nowhere. */
  readonly refresh: string;
  /** Empty unless the status is 200. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** @throws CrawlFailed; anything else once `signal` has aborted */
export type FetchPage = (url: URL, crawlRequest: FetchRequest) => Promise<Fetched>;

export interface FetchDeps {
  readonly guard: Guard;
  readonly dial: Dial;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

export function createFetchPage(deps: FetchDeps): FetchPage {
  return async (first, crawlRequest) => {
    const cookies = crawlRequest.cookies ?? createCookieJar();
    let url = first;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const answer = await fetchOnce(url, hop, { ...deps, order: crawlRequest, cookies });
      if (!('location' in answer)) {
        return answer;
      }
      url = answer.location;
    }
    throw new CrawlFailed('bad-redirect', `more than ${MAX_REDIRECTS} redirects`);
  };
}

interface Step extends FetchDeps {
  readonly order: FetchRequest;
  readonly cookies: CookieJar;
}

async function fetchOnce(
  url: URL,
  hop: number,
  { guard, dial, order: crawlRequest, cookies }: Step,
): Promise<Fetched | { readonly location: URL }> {
  const target = await guard.locate(url, crawlRequest.signal);
  await crawlRequest.beforeRequest(url, hop);
  const connection = await dial(target, crawlRequest.signal);
  try {
    const response = await ask(connection, url, { ...crawlRequest, cookies });
    cookies.keep(url, response.headers['set-cookie'] ?? []);
    const status = response.statusCode ?? 0;
    if (REDIRECTS.includes(status) && response.headers.location !== undefined) {
      return { location: locationOf(response.headers.location, url) };
    }
    const body = status === 200 ? await readBody(response, crawlRequest) : new Uint8Array();
    const { 'content-type': types, refresh } = response.headersDistinct;
    return { url, status, contentType: types?.join(',') ?? '', refresh: refresh?.[0] ?? '', body };
  } finally {
    connection.destroy();
  }
}

async function ask(
  connection: Duplex,
  url: URL,
  { accept, signal, cookies }: FetchRequest & { readonly cookies: CookieJar },
): Promise<IncomingMessage> {
  const cookie = cookies.headerFor(url);
  const headers = {
    host: url.host,
    'user-agent': USER_AGENT,
    accept,
    'accept-encoding': ACCEPTED_ENCODINGS,
    connection: 'close',
    ...(cookie === '' ? {} : { cookie }),
  };
  const path = `${url.pathname}${url.search}`;
  const asked = request({ createConnection: () => connection, path, headers, signal });
  return new Promise((resolve, reject) => {
    asked.on('error', (cause) => {
      reject(failureOf(cause, url));
    });
    asked.once('response', resolve);
    asked.end();
  });
}

function failureOf(cause: Error & { code?: string }, { host }: URL): CrawlFailed {
  if (cause.code === 'HPE_HEADER_OVERFLOW') {
    return new CrawlFailed('unreadable', `the head of ${host}'s answer is too large`, { cause });
  }
  return cause.code?.startsWith('HPE_') === true
    ? new CrawlFailed('unreadable', `${host} answered with a head that is no HTTP`, { cause })
    : new CrawlFailed('connection-failed', `${host} gave no answer`, { cause });
}

/** Header bytes arrive as Latin-1; servers write UTF-8. */
function locationOf(header: string, base: URL): URL {
  const text = Buffer.from(header, 'latin1').toString('utf8');
  if (!URL.canParse(text, base.href)) {
    throw new CrawlFailed('bad-redirect', 'a redirect leads to no address');
  }
  return new URL(text, base);
}
