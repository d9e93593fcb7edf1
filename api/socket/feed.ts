import { lastSeqs } from '../../db/events.js';
import type { LiveEvent, StoredEvent } from '../../domain/events.js';
import type { StreamId } from '../../domain/ids.js';
import { createLiveView } from './live-view.js';
import type { LiveDeps } from './live-watch.js';
import type { Reader } from './readers.js';
import { createStreamWatch, type StreamWatch } from './stream-watch.js';

export interface FeedOptions {
  readonly streamId: StreamId;
  /** The first event to come is the one after this `seq`; 0 for all. */
  readonly after: number;
  /**
   * Takes one event; each comes once, in the order of `seq`.
   *
   * @returns false if there is no room for another one now: call `wake` when there is
   */
  readonly onEvent: (event: StoredEvent) => boolean;
  /**
   * Takes what is told of agents at work, once all that is stored has been taken: of each reply the
   * pieces fit together from its first character on, and nothing comes after an agent's end. While
   * there is no room pieces are joined to longer ones; without Redis there are none.
   *
   * @returns as `onEvent`
   */
  readonly onLive?: ((event: LiveEvent) => boolean) | undefined;
}

export interface Feed {
  wake(): void;
  close(): void;
}

export interface Feeds {
  /** Subscribes, replays from `after`, then goes live: no gap, no repeat, whatever is away. */
  open(options: FeedOptions): Feed;
  close(): void;
}

const SWEEP_MS = 1_000;
/** Hints may be lost even while Redis is there: between a writer's commit and its publishing. */
const SWEEPS_WITHOUT_NEED = 5;

/** The feeds of one process; those of one stream share its subscription and its reads. */
export function createFeeds(deps: LiveDeps): Feeds {
  const watches = new Map<StreamId, StreamWatch>();
  const sweep = startSweep(deps, watches);

  return {
    open({ streamId, after, onEvent, onLive }) {
      const watch = watches.get(streamId) ?? createStreamWatch(deps, streamId);
      watches.set(streamId, watch);
      const reader: Reader = {
        seq: after,
        isFull: false,
        isCurrent: false,
        onEvent,
        live: onLive === undefined ? null : createLiveView(onLive),
      };
      watch.add(reader);
      return {
        wake() {
          reader.isFull = false;
          reader.isCurrent = false; // what is stored comes first
          watch.pull();
        },
        close() {
          if (watch.remove(reader) === 0 && watches.get(streamId) === watch) {
            watches.delete(streamId);
          }
        },
      };
    },
    close() {
      sweep.stop();
      watches.forEach((watch) => {
        watch.close();
      });
      watches.clear();
    },
  };
}

/** Asks PostgreSQL for news of all watched streams at once: every second while Redis is away. */
function startSweep({ db, bus, logger }: LiveDeps, watches: ReadonlyMap<StreamId, StreamWatch>) {
  let ticks = 0;
  let isAsking = false;

  async function ask(): Promise<void> {
    isAsking = true;
    try {
      for (const [streamId, seq] of await lastSeqs(db, [...watches.keys()])) {
        const watch = watches.get(streamId);
        if (watch !== undefined && watch.slowestSeq() < seq) {
          watch.pull();
        }
      }
    } catch (error) {
      logger.warn('streams not readable', { streams: watches.size, error });
    } finally {
      isAsking = false;
    }
  }

  const timer = setInterval(() => {
    ticks += 1;
    const isNeeded = !bus.isAvailable() || ticks % SWEEPS_WITHOUT_NEED === 0;
    if (isNeeded && !isAsking && watches.size > 0) {
      void ask();
    }
  }, SWEEP_MS).unref();
  return {
    stop(): void {
      clearInterval(timer);
    },
  };
}
