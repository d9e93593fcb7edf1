import { readEvents } from '../../db/events.js';
import type { StoredEvent } from '../../domain/events.js';
import type { StreamId } from '../../domain/ids.js';
import type { Hint } from '../../events/bus.js';
import { createLiveSide, type LiveDeps } from './live-hub.js';
import { deliverTo, skipRemoved, slowestSeqOf, catchUp, type Cursor } from './cursors.js';

/** One stream and all who listen to it in this process. */
export interface StreamHub {
  add(cursor: Cursor): void;
  /** @returns how many cursors are left; without any the hub is closed */
  remove(cursor: Cursor): number;
  /** There is, or may be, something in PostgreSQL that a reader has not got. */
  pull(): void;
  /** Where the reader is that has come least far; full ones do not count. */
  slowestSeq(): number;
  close(): void;
}

const PAGE = 100;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;

export function createStreamHub(deps: LiveDeps, streamId: StreamId): StreamHub {
  const cursors = new Set<Cursor>();
  const live = createLiveSide(deps, streamId, cursors);
  const puller = createPuller(readPage, (error) => {
    deps.logger.warn('stream not readable, trying again', { streamId, error });
  });
  const subscribed = deps.bus.subscribe(streamId, live.inTurn(onNotification));

  /** @returns whether there is more to read */
  async function readPage(): Promise<boolean> {
    const after = slowestSeqOf(cursors);
    if (after === Infinity) {
      return false;
    }
    const page = await readEvents(deps.db, streamId, { after, limit: PAGE });
    await live.lookingUp();
    skipRemoved(cursors, after, page);
    const isBehind = deliver(page); // who came while it was read, and wants more of the past
    if (page.length < PAGE) {
      catchUp(cursors, page.at(-1)?.seq ?? after);
      live.showAll();
    }
    return page.length === PAGE || isBehind;
  }

  function onNotification(notification: Hint): void {
    if ('nudge' in notification || deliver(notification.events)) {
      puller.pull();
    }
  }

  /** @returns whether a reader lacks events that lie before these */
  function deliver(events: readonly StoredEvent[]): boolean {
    live.note(events);
    return deliverTo(cursors, events);
  }

  function close(): void {
    puller.stop();
    cursors.clear();
    live.update();
    void subscribed.then((unsubscribe) => {
      unsubscribe();
    });
  }

  return {
    add(cursor) {
      cursors.add(cursor);
      live.update();
      void subscribed.then(() => {
        puller.pull(); // only now: what is stored later comes as a hint
      });
    },
    remove(cursor) {
      const wasThere = cursors.delete(cursor);
      live.update();
      if (wasThere && cursors.size === 0) {
        close();
      }
      return cursors.size;
    },
    pull: puller.pull,
    slowestSeq: () => slowestSeqOf(cursors),
    close,
  };
}

/** Reads as often as asked, one read at a time, and again after failures, ever more slowly. */
function createPuller(readPage: () => Promise<boolean>, onFirstFailure: (error: unknown) => void) {
  let isWanted = false;
  let isReading = false;
  let isStopped = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;

  async function readAll(): Promise<void> {
    isReading = true;
    while (isWanted && !isStopped) {
      isWanted = false;
      try {
        isWanted = (await readPage()) || wantedMeanwhile();
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === 1) {
          onFirstFailure(error);
        }
        retry = setTimeout(
          pull,
          Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS),
        ).unref();
        break;
      }
    }
    isReading = false;
  }

  function wantedMeanwhile(): boolean {
    return isWanted;
  }

  function pull(): void {
    isWanted = true;
    clearTimeout(retry);
    if (!isReading && !isStopped) {
      void readAll();
    }
  }

  return {
    pull,
    stop(): void {
      isStopped = true;
      clearTimeout(retry);
    },
  };
}
