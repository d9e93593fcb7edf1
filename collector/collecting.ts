/** The two things that are done for a collection: asking whether it may be read, and reading it. */
import { crawlErrorText } from '../domain/collector/crawl-failures.js';
import type { CollectionMetrics } from '../telemetry/collector-metrics.js';
import type { Logger } from '../telemetry/logger.js';
import type { Collection, Compliance } from './collection.js';
import { CrawlFailed } from './crawl-failed.js';
import type { Crawl } from './crawl.js';
import type { Guard } from './guard.js';
import { done, UNKNOWN, type Outcome } from './outcome.js';
import { DomainBusy } from './pacing.js';
import type { Robots } from './robots.js';
import type { Store } from './store.js';

export interface WorkDeps {
  readonly store: Store;
  readonly guard: Guard;
  readonly robots: Robots;
  readonly crawl: Crawl;
  readonly metrics: CollectionMetrics;
  readonly logger: Logger;
  /** Between two requests to a domain that asks for nothing. */
  readonly delayMs: number;
}

/** What a collection answers without being collected; null: it is to be collected. */
export function settledCollection(collection: Collection): Outcome<Collection> | null {
  const { url, compliance, status } = collection;
  if (url === null) {
    return { kind: 'too-early', reason: 'The collection has no url' };
  }
  if (compliance === null) {
    return { kind: 'too-early', reason: 'Compliance has not been checked' };
  }
  if (compliance.status === 'blocked') {
    return { kind: 'blocked', reason: compliance.robotsReason };
  }
  return status === 'completed' ? done(collection) : null;
}

/** No server was asked, because there is nothing to ask for. */
export function uncheckedCompliance(delayMs: number): Compliance {
  const robotsReason = 'there is no url to check';
  return { status: 'unchecked', robotsAllowed: false, robotsReason, piiTypes: [], delayMs };
}

export async function judge(
  held: Collection,
  deps: WorkDeps,
  signal: AbortSignal,
): Promise<Outcome<Compliance>> {
  if (held.compliance !== null || held.url === null) {
    return done(held.compliance ?? uncheckedCompliance(deps.delayMs));
  }
  await deps.store.save({ ...held, status: 'checking_compliance' });
  const { isAllowed, reason, delayMs } = await permissionFor(new URL(held.url), deps, signal);
  const compliance: Compliance = {
    status: isAllowed ? 'allowed' : 'blocked',
    robotsAllowed: isAllowed,
    robotsReason: reason,
    piiTypes: [],
    delayMs,
  };
  await deps.store.save({ ...held, status: isAllowed ? 'pending' : 'blocked', compliance });
  if (!isAllowed) {
    deps.metrics.ended({ outcome: 'blocked', seconds: 0 });
  }
  return done(compliance);
}

async function permissionFor(url: URL, { guard, robots, delayMs }: WorkDeps, signal: AbortSignal) {
  try {
    await guard.locate(url, signal);
  } catch (error) {
    if (isRefusal(error)) {
      return { isAllowed: false, reason: error.message, delayMs };
    }
    if (!(error instanceof CrawlFailed)) {
      throw error;
    }
  }
  return robots.permit(url, signal);
}

export async function collect(
  held: Collection,
  deps: WorkDeps,
  signal: AbortSignal,
): Promise<Outcome<Collection>> {
  const { url, compliance } = held;
  if (url === null || compliance === null || held.status === 'completed') {
    return settledCollection(held) ?? UNKNOWN;
  }
  const startedAt = performance.now();
  const log = deps.logger.with({ collectionId: held.id, host: new URL(url).host });
  const end = async (outcome: string, after: Collection, text?: string) => {
    await deps.store.save(after, text);
    const seconds = (performance.now() - startedAt) / 1_000;
    deps.metrics.ended({ outcome, seconds });
    log.info('collection ended', { outcome, durationMs: Math.round(seconds * 1_000) });
    return done(after);
  };
  await deps.store.save({ ...held, status: 'collecting', error: null });
  try {
    const { sourceType } = held;
    const { delayMs } = compliance;
    const onFetched = async (bytes: number): Promise<void> => {
      deps.metrics.fetched(bytes);
      await deps.store.save({ ...held, status: 'processing', error: null });
    };
    const request = { url: new URL(url), sourceType, delayMs, onFetched };
    const { title, text, piiTypes } = await deps.crawl(request, signal);
    deps.metrics.masked(piiTypes);
    const status = piiTypes.length > 0 ? 'warning' : 'allowed';
    const judged: Compliance = { ...compliance, status, piiTypes };
    const after: Collection = { ...held, status: 'completed', error: null, title };
    return await end('completed', { ...after, compliance: judged }, text);
  } catch (error) {
    if (error instanceof CrawlFailed) {
      const said = crawlErrorText(error.code, error.message);
      return end(error.code, { ...held, status: 'failed', error: said });
    }
    if (!(error instanceof DomainBusy)) {
      const said = crawlErrorText('interrupted', 'the collector failed');
      await deps.store.save({ ...held, status: 'failed', error: said }).catch(() => undefined);
    }
    throw error;
  }
}

export function isRefusal(error: unknown): error is CrawlFailed {
  return error instanceof CrawlFailed && error.code === 'refused-address';
}
