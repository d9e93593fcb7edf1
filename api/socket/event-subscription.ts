import { lastSeqs } from '../../db/events.js';
import type { LiveEvent, StoredEvent } from '../../domain/events.js';
import type { StreamId } from '../../domain/ids.js';
import { createLiveView } from './live-view.js';
import type { LiveDeps } from './live-hub.js';
import type { Cursor } from './cursors.js';
import { createStreamHub, type StreamHub } from './stream-hub.js';

export interface EventSubscriptionOptions {
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
   * Takes live events of agents at work, once all stored events have been taken: of each reply the
   * pieces fit together from its first character on, and nothing comes after an agent's end. While
   * there is no room pieces are joined to longer ones; without Redis there are none.
   *
   * @returns as `onEvent`
   */
  readonly onLive?: ((event: LiveEvent) => boolean) | undefined;
}

export interface EventSubscription {
  wake(): void;
  close(): void;
}

export interface EventSubscriptions {
  /** Subscribes, replays from `after`, then goes live: no gap and no repeat, even while a server is away. */
  open(options: EventSubscriptionOptions): EventSubscription;
  close(): void;
}

const SWEEP_MS = 1_000;
/** Hints may be lost even while Redis is there: between a writer's commit and its publishing. */
const SWEEPS_WITHOUT_NEED = 5;

/** The feeds of one process; those of one stream share its subscription and its reads. */
export function createEventSubscriptions(deps: LiveDeps): EventSubscriptions {
  const watches = new Map<StreamId, StreamHub>();
  const sweep = startSweep(deps, watches);

  return {
    open({ streamId, after, onEvent, onLive }) {
      const watch = watches.get(streamId) ?? createStreamHub(deps, streamId);
      watches.set(streamId, watch);
      const cursor: Cursor = {
        seq: after,
        isFull: false,
        isCurrent: false,
        onEvent,
        live: onLive === undefined ? null : createLiveView(onLive),
      };
      watch.add(cursor);
      return {
        wake() {
          cursor.isFull = false;
          cursor.isCurrent = false; // what is stored comes first
          watch.pull();
        },
        close() {
          if (watch.remove(cursor) === 0 && watches.get(streamId) === watch) {
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
function startSweep({ db, bus, logger }: LiveDeps, watches: ReadonlyMap<StreamId, StreamHub>) {
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
