/** A run's events over plain HTTP, as one iteration that survives lost connections. */
import type { ClientEvent } from '../domain/events.js';
import { createAgentsAtWork, type AgentsAtWork } from './agents.js';
import { createBackoff, type Backoff } from './backoff.js';
import { ApiError } from './errors.js';
import { readEventStream } from './event-stream.js';

export interface RunEventsOptions {
  /** The last `seq` that is known already. Default: 0, all events of the run come. */
  readonly after?: number;
  /** Also the events that not every client knows. */
  readonly isExtended?: boolean;
  readonly signal?: AbortSignal;
  /** First and longest wait before another try, in milliseconds. Default: 500 and 30,000. */
  readonly waitsMs?: { readonly first: number; readonly longest: number };
}

/** Asks for the events after a `seq`. @throws ApiError for any answer that is no success */
export type AskForEvents = (after: number) => Promise<Response>;

/** What is known so far. */
interface Progress {
  lastSeq: number;
  readonly agents: AgentsAtWork;
}

/**
 * Each stored event once and in order, up to `pipeline_result`; of live events what is news.
 *
 * @throws ApiError when the API refuses for good, and what `signal` aborts with
 */
export async function* readRunEvents(
  ask: AskForEvents,
  { after = 0, signal, waitsMs = { first: 500, longest: 30_000 } }: RunEventsOptions,
): AsyncGenerator<ClientEvent> {
  const backoff = createBackoff({ firstMs: waitsMs.first, longestMs: waitsMs.longest });
  const progress: Progress = { lastSeq: after, agents: createAgentsAtWork() };
  for (;;) {
    try {
      const { body } = await ask(progress.lastSeq);
      if (body === null) {
        return; // nothing follows
      }
      const hasEnded = yield* tellAll(body, progress, backoff);
      if (hasEnded) {
        return;
      }
    } catch (error) {
      if (!isWorthTrying(error, signal)) {
        throw error;
      }
    }
    await retried(backoff, signal);
  }
}

/** @returns whether the run's last event has come */
async function* tellAll(
  body: ReadableStream<Uint8Array>,
  progress: Progress,
  backoff: Backoff,
): AsyncGenerator<ClientEvent, boolean> {
  for await (const event of readEventStream(body)) {
    backoff.reset();
    yield* updatesOf(progress, event);
    if (event.type === 'pipeline_result') {
      return true;
    }
  }
  return false;
}

function* updatesOf(progress: Progress, event: ClientEvent): Generator<ClientEvent> {
  if (event.seq !== undefined && event.seq <= progress.lastSeq) {
    return;
  }
  progress.lastSeq = event.seq ?? progress.lastSeq;
  const updates = progress.agents.take(event);
  if (updates !== null) {
    yield updates;
  }
}

/** Too many connections, or a part of the API is away; a lost connection has no status at all. */
function isWorthTrying(error: unknown, signal: AbortSignal | undefined): boolean {
  const isRefused = error instanceof ApiError && error.status !== 429 && error.status < 500;
  return !isRefused && signal?.aborted !== true;
}

/** @throws what `signal` aborts with */
async function retried(backoff: Backoff, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const goOn = (): void => {
    resolve(undefined);
  };
  signal?.addEventListener('abort', goOn);
  backoff.retry(goOn);
  await promise;
  backoff.stop();
  signal?.removeEventListener('abort', goOn);
  signal?.throwIfAborted();
}
