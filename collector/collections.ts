/** The life of a collection: wanted, permitted, collected, read. What its callers may expect is data. */
import { crawlErrorText } from '../domain/collector/crawl-failures.js';
import { chunksOf } from '../domain/text/chunks.js';
import type { Collection, Compliance, SourceType } from './collection.js';
import {
  collect,
  isRefusal,
  judge,
  settledCollection,
  uncheckedCompliance,
  type WorkDeps,
} from './collecting.js';
import { CrawlFailed } from './crawl-failed.js';
import type { Guard } from './guard.js';
import { done, UNKNOWN, type Outcome } from './outcome.js';
import { DomainBusy } from './pacing.js';

export interface Collections {
  /** @returns `blocked` for an address that must not be read */
  create(wanted: Wanted): Promise<Outcome<Collection>>;
  status(id: string): Promise<Outcome<Collection>>;
  /** Asks the site the first time, and remembers. */
  checkCompliance(id: string, signal: AbortSignal): Promise<Outcome<Compliance>>;
  /** A crawl that fails is an outcome of the collection, not of the call. */
  collect(id: string, signal: AbortSignal): Promise<Outcome<Collection>>;
  data(id: string): Promise<Outcome<CollectedData>>;
}

export interface Wanted {
  readonly url: string | null;
  readonly sourceType: SourceType;
  /** The address that asks. */
  readonly caller: string;
}

export interface CollectedData {
  readonly collection: Collection;
  readonly chunks: readonly string[];
}

export interface CollectionDeps extends WorkDeps {
  readonly newId: () => string;
  readonly now: () => Date;
  /** At once in this process; each may hold a page in memory. Default: 32. */
  readonly maxAtOnce?: number;
}

const MAX_AT_ONCE = 32;
const BUSY_RETRY_SECONDS = 5;

export function createCollections(deps: CollectionDeps): Collections {
  const limited = createLimit(deps.maxAtOnce ?? MAX_AT_ONCE);
  return {
    create: (wanted) => create(wanted, deps),
    async status(id) {
      const collection = await find(id, deps);
      return collection === null ? UNKNOWN : done(collection);
    },
    async checkCompliance(id, signal) {
      const collection = await find(id, deps);
      if (collection === null) {
        return UNKNOWN;
      }
      if (collection.compliance !== null || collection.url === null) {
        return done(collection.compliance ?? uncheckedCompliance(deps.delayMs));
      }
      return limited(() => holding(id, { ...deps, signal }, (held) => judge(held, deps, signal)));
    },
    async collect(id, signal) {
      const collection = await find(id, deps);
      if (collection === null) {
        return UNKNOWN;
      }
      return (
        settledCollection(collection) ??
        limited(() => holding(id, { ...deps, signal }, (held) => collect(held, deps, signal)))
      );
    },
    async data(id) {
      const collection = await find(id, deps);
      return collection === null
        ? UNKNOWN
        : done({ collection, chunks: chunksOf(await deps.store.readText(id)) });
    },
  };
}

async function create(
  { url, sourceType, caller }: Wanted,
  { store, guard, metrics, now, newId }: CollectionDeps,
): Promise<Outcome<Collection>> {
  const refusal = url === null ? null : await refusalOf(url, guard);
  if (refusal !== null) {
    metrics.ended({ outcome: 'refused-address', seconds: 0 });
    return { kind: 'blocked', reason: refusal };
  }
  const collection: Collection = {
    id: newId(),
    url,
    sourceType,
    createdAt: now().toISOString(),
    status: 'pending',
    compliance: null,
    error: null,
    title: null,
  };
  await store.add(collection, caller);
  return done(collection);
}

/** Longest that a new collection waits for name servers. */
const RESOLVE_MS = 5_000;

/** An unknown name passes: it may be known when it is read, and is checked again then. */
async function refusalOf(text: string, guard: Guard): Promise<string | null> {
  if (!URL.canParse(text)) {
    return 'this is no web address';
  }
  const signal = AbortSignal.timeout(RESOLVE_MS);
  try {
    await guard.locate(new URL(text), signal);
    return null;
  } catch (error) {
    if (isRefusal(error)) {
      return error.message;
    }
    if (error instanceof CrawlFailed || signal.aborted) {
      return null;
    }
    throw error;
  }
}

const UNDER_WAY: readonly Collection['status'][] = [
  'checking_compliance',
  'collecting',
  'processing',
];

/** As stored; work that its process did not live to end has failed. */
async function find(id: string, { store }: CollectionDeps): Promise<Collection | null> {
  const found = await store.find(id);
  if (found === null || found.isHeld || !UNDER_WAY.includes(found.collection.status)) {
    return found?.collection ?? null;
  }
  const { collection } = found;
  return collection.compliance === null
    ? { ...collection, status: 'pending' }
    : {
        ...collection,
        status: 'failed',
        error: crawlErrorText('interrupted', 'the collector ended'),
      };
}

type Work<T> = (held: Collection) => Promise<Outcome<T>>;

/** One at a time: the collection is read again once it is ours. */
async function holding<T>(
  id: string,
  deps: CollectionDeps & { readonly signal: AbortSignal },
  work: Work<T>,
): Promise<Outcome<T>> {
  const hold = await deps.store.hold(id);
  if (hold === null) {
    return { kind: 'held' };
  }
  try {
    const found = await deps.store.find(id);
    return found === null ? UNKNOWN : await working(found.collection, deps, work);
  } finally {
    await hold.release().catch((error: unknown) => {
      deps.logger.warn('hold not released; it expires', { collectionId: id, error });
    });
  }
}

/** What could not be begun, or is no longer wanted, leaves no trace. */
async function working<T>(
  held: Collection,
  { store, metrics, signal }: CollectionDeps & { readonly signal: AbortSignal },
  work: Work<T>,
): Promise<Outcome<T>> {
  try {
    return await work(held);
  } catch (error) {
    if (!(error instanceof DomainBusy) && !signal.aborted) {
      throw error;
    }
    await store.save({ ...held, status: 'pending' });
    metrics.ended({ outcome: 'busy', seconds: 0 });
    return error instanceof DomainBusy
      ? { kind: 'busy', reason: error.message, retryAfterSeconds: error.retryAfterSeconds }
      : { kind: 'busy', reason: 'the collector is stopping', retryAfterSeconds: 1 };
  }
}

/** Lets so many work at once, and asks all others to come back. */
function createLimit(most: number) {
  let running = 0;
  return async <T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> => {
    if (running >= most) {
      const reason = 'the collector is busy';
      return { kind: 'busy', reason, retryAfterSeconds: BUSY_RETRY_SECONDS };
    }
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
    }
  };
}
