/** Whether a site lets us read a page, and how fast. */
import { z } from 'zod';
import { destinationOf } from '../domain/security/allowed-addresses.js';
import { decodeLeniently } from './charset.js';
import { CrawlFailed } from './crawl-failed.js';
import type { FetchPage } from './fetch-page.js';
import { contentTypeOf } from './media-types.js';
import type { Pacing } from './pacing.js';
import type { Reader } from './reader.js';
import type { RobotsVerdict } from './reading.js';
import type { Store } from './store.js';

export interface Permission {
  readonly isAllowed: boolean;
  readonly reason: string;
  /** Between two requests to the domain. */
  readonly delayMs: number;
}

export interface Robots {
  /**
   * Asks the site's robots.txt, or remembers what it said. Missing or unreadable means allowed.
   *
   * @throws DomainBusy, `unavailable`; when `signal` aborts
   */
  permit(url: URL, signal: AbortSignal): Promise<Permission>;
}

export interface RobotsDeps {
  readonly fetchPage: FetchPage;
  readonly store: Pick<Store, 'recallRobots' | 'rememberRobots'>;
  readonly pacing: Pacing;
  readonly reader: Pick<Reader, 'decideRobots'>;
  /** What we keep to where the site asks for less. */
  readonly delayMs: number;
}

const Found = z.object({
  /** null: there are no rules, for the reason given */
  text: z.string().nullable(),
  reason: z.string(),
});
type Found = z.infer<typeof Found>;

/** Source: RFC 9309 §2.5: at least so much is read. */
const MAX_BYTES = 500 * 1024;
/** Larger ones are asked for each time, so that no site fills the store. */
const MAX_REMEMBERED_CHARACTERS = 64 * 1024;
const TIMEOUT_MS = 10_000;
const REMEMBER_MS = 60 * 60 * 1_000;
/** What could not be read may be readable soon. */
const REMEMBER_TROUBLE_MS = 60 * 1_000;
/** A site that asks for more gets this; else one page would take a run's whole time. */
const MAX_DELAY_MS = 10_000;

export function createRobots(deps: RobotsDeps): Robots {
  return {
    async permit(url, signal) {
      const { delayMs } = deps;
      const { text, reason } = (await recall(url, deps)) ?? (await find(url, deps, signal));
      if (text === null) {
        return { isAllowed: true, reason, delayMs };
      }
      const verdict = await decide({ url: url.href, text }, deps, signal);
      if (verdict === null) {
        return { isAllowed: true, reason: 'robots.txt cannot be read, so allowed', delayMs };
      }
      return {
        isAllowed: verdict.isAllowed,
        reason: `${verdict.isAllowed ? 'allowed' : 'disallowed'} by robots.txt`,
        delayMs: Math.max(delayMs, Math.min(MAX_DELAY_MS, verdict.crawlDelayMs ?? 0)),
      };
    },
  };
}

async function decide(
  rules: { url: string; text: string },
  { reader }: RobotsDeps,
  signal: AbortSignal,
): Promise<RobotsVerdict | null> {
  return reader.decideRobots(rules, signal).catch((error: unknown) => {
    if (error instanceof CrawlFailed) {
      return null;
    }
    throw error;
  });
}

async function recall({ origin }: URL, { store }: RobotsDeps): Promise<Found | null> {
  const known = await store.recallRobots(origin);
  const parsed = Found.safeParse(known === null ? null : JSON.parse(known));
  return parsed.success ? parsed.data : null;
}

async function find(url: URL, deps: RobotsDeps, signal: AbortSignal): Promise<Found> {
  const { found, isCertain } = await ask(url, deps, signal);
  if ((found.text ?? '').length <= MAX_REMEMBERED_CHARACTERS) {
    const ttlMs = isCertain ? REMEMBER_MS : REMEMBER_TROUBLE_MS;
    await deps.store.rememberRobots(url.origin, JSON.stringify(found), ttlMs);
  }
  return found;
}

async function ask(
  url: URL,
  { fetchPage, pacing, delayMs }: RobotsDeps,
  signal: AbortSignal,
): Promise<{ found: Found; isCertain: boolean }> {
  const file = new URL('/robots.txt', url.origin);
  await pacing.takeTurn({ domain: destinationOf(file).host, intervalMs: delayMs }, signal);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const { status, body, contentType } = await fetchPage(file, {
      accept: 'text/plain',
      maxBytes: MAX_BYTES,
      isCut: true,
      signal: limit,
      beforeRequest: async (at, hop) => {
        if (hop > 0) {
          await pacing.takeTurn({ domain: destinationOf(at).host, intervalMs: delayMs }, limit);
        }
      },
    });
    return status === 200
      ? { found: { text: rulesIn(body, contentType), reason: '' }, isCertain: true }
      : { found: missing(`HTTP ${status}`), isCertain: status < 500 };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CrawlFailed) && !limit.aborted) {
      throw error;
    }
    const why = error instanceof CrawlFailed ? error.message : 'no answer in time';
    return { found: missing(why), isCertain: false };
  }
}

/** UTF-8 by the standard; editors on Windows write UTF-16. */
function rulesIn(body: Uint8Array, contentType: string): string {
  const charset = contentTypeOf(contentType, 'file')?.charset ?? null;
  return decodeLeniently(body, { charset, contentKind: 'text' });
}

function missing(why: string): Found {
  return { text: null, reason: `no robots.txt (${why}), so allowed` };
}
