/** The data-collector service as an agent uses it. Source: contract, pipeline §3.2 and §3.3. */
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import {
  destinationOf,
  isAllowed,
  type AllowedAddress,
} from '../../domain/security/allowed-addresses.js';
import type { CollectedPage, CollectorProblem } from '../../domain/collector/texts.js';
import { isPassingCrawlError, isRefusedCrawlError } from '../../domain/collector/crawl-failures.js';
import { DomainError } from '../../domain/errors.js';
import { isPrivateUrl } from '../../domain/security/private-addresses.js';
import { joinChunks } from '../../domain/text/chunks.js';
import {
  CallFailed,
  createSend,
  failedBy,
  type Attempt,
  type CollectOutcome,
  type Send,
  type CollectorAddress,
} from './collector-requests.js';

export type { CollectOutcome } from './collector-requests.js';

export interface Collector {
  /**
   * Whether a server takes connections at the collector's address; nothing is asked of it.
   *
   * @throws `cancelled` when `signal` aborts
   */
  isReachable(signal: AbortSignal): Promise<boolean>;
  /**
   * Collects one page; a private address is blocked without asking.
   *
   * @param request `attempts` bounds how often what may pass is tried (0 and 1 mean once).
   * @throws `cancelled` when `signal` aborts; every other outcome is data.
   */
  collect(request: CollectRequest, signal: AbortSignal): Promise<CollectOutcome>;
}

export interface CollectRequest {
  readonly url: string;
  readonly attempts: number;
}

export interface CollectorOptions extends CollectorAddress {
  /** Private hosts that the collector has leave to read; default: none. */
  readonly allowed?: readonly AllowedAddress[];
  /** After the first failed attempt; doubled after each further one, at most 30 s. */
  readonly firstWaitMs?: number;
}

/** As long as `fetch` itself waits for a connection. */
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 30_000;

export function createCollector(options: CollectorOptions): Collector {
  const { firstWaitMs = FIRST_WAIT_MS, allowed = [] } = options;
  return {
    isReachable: (signal) => takesConnections(options.baseUrl, signal),
    async collect({ url, attempts }, signal) {
      if (isPrivateUrl(url) && !isAllowed(allowed, destinationOf(new URL(url)))) {
        return { kind: 'problem', problem: { kind: 'blocked', reason: 'private address' } };
      }
      for (let attempt = 1; ; attempt += 1) {
        const { outcome, retryAfterMs } = await collectOnce(url, createSend(options, signal));
        if (!mayPass(outcome) || attempt >= attempts) {
          return outcome;
        }
        const ownMs = firstWaitMs * 2 ** (attempt - 1);
        await pause(Math.min(MAX_WAIT_MS, Math.max(ownMs, retryAfterMs)), signal);
      }
    },
  };
}

async function takesConnections(baseUrl: string, cancel: AbortSignal): Promise<boolean> {
  if (!URL.canParse(baseUrl)) {
    return false;
  }
  const socket = connect({
    ...destinationOf(new URL(baseUrl)),
    signal: AbortSignal.any([cancel, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]),
  });
  const isConnected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => {
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
  socket.destroy();
  if (cancel.aborted) {
    throw new DomainError('cancelled', 'collection cancelled');
  }
  return isConnected;
}

/** A collector that went away in the middle may be another one by the next attempt. */
function mayPass(outcome: CollectOutcome): boolean {
  switch (outcome.kind) {
    case 'collected':
      return false;
    case 'unreachable':
      return true;
    case 'problem':
      return isPassing(outcome.problem);
  }
}

function isPassing(problem: CollectorProblem): boolean {
  switch (problem.kind) {
    case 'status':
      return problem.status >= 500;
    case 'failed':
      return isPassingCrawlError(problem.reason);
    case 'timeout':
    case 'unreachable':
      return true;
    case 'blocked':
    case 'unreadable':
      return false;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {
    throw new DomainError('cancelled', 'collection cancelled');
  });
}

const Created = z.object({ id: z.string().min(1).max(200) });
const Compliance = z
  .object({
    status: z.string(),
    robots_reason: z.string().nullish(),
    reason: z.string().nullish(),
  })
  .transform((it) => ({ status: it.status, reason: it.robots_reason ?? it.reason ?? '' }));
const Crawled = z
  .object({ status: z.string().nullish(), error: z.string().nullish() })
  .transform(({ status, error }) => ({ status, reason: error ?? '' }));
const Item = z.union([z.string(), z.object({ content: z.string() }).transform((it) => it.content)]);
const Data = z
  .object({
    data: z.array(Item).nullish(),
    items: z.array(Item).nullish(),
    total_items: z.number().int().nonnegative().nullish(),
  })
  .transform(({ data, items, total_items: total }) => {
    const texts = data ?? items ?? [];
    return { items: total ?? texts.length, text: joinChunks(texts) };
  });

/** The four calls of one collection; a call's problem ends it. */
async function collectOnce(url: string, send: Send): Promise<Attempt> {
  try {
    return { outcome: { kind: 'collected', page: await pageAt(url, send) }, retryAfterMs: 0 };
  } catch (error) {
    if (error instanceof CallFailed) {
      return error;
    }
    throw error;
  }
}

/** A page, unless the address names a PDF: what is found there may still be a page. */
function sourceTypeOf(url: string): 'web' | 'file' {
  return /\.pdf$/i.test(new URL(url).pathname) ? 'file' : 'web';
}

async function pageAt(url: string, send: Send): Promise<CollectedPage> {
  const { id } = await refusedBy(
    { status: 422, refusal: 'refused-address' },
    send(Created, { path: '', body: { url, source_type: sourceTypeOf(url) } }),
  );
  const collection = `/${encodeURIComponent(id)}`;
  const { status, reason } = await send(Compliance, { path: `${collection}/compliance` });
  if (status === 'blocked') {
    throw failedBy({ kind: 'blocked', reason });
  }
  const crawled = await refusedBy(
    { status: 403, refusal: 'disallowed-by-robots' },
    send(Crawled, { path: `${collection}/collect`, body: null }),
  );
  if (crawled.status === 'failed' || crawled.status === 'blocked') {
    const kind = isRefusedCrawlError(crawled.reason) ? 'blocked' : crawled.status;
    throw failedBy({ kind, reason: crawled.reason });
  }
  const { items, text } = await send(Data, { path: `${collection}/data` });
  return { url, items, text };
}

/** What a status means as an answer to one of the calls. Source: contract, pipeline §3.3. */
async function refusedBy<T>(
  meaning: Omit<Extract<CollectorProblem, { kind: 'status' }>, 'kind'>,
  answer: Promise<T>,
): Promise<T> {
  return answer.catch((error: unknown) => {
    const outcome = error instanceof CallFailed ? error.outcome : null;
    const problem = outcome?.kind === 'problem' ? outcome.problem : null;
    throw problem?.kind === 'status' && problem.status === meaning.status
      ? failedBy({ kind: 'status', ...meaning })
      : error;
  });
}
