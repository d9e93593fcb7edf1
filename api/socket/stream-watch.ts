import { readEvents } from '../../db/events.js';
import type { StoredEvent } from '../../domain/events.js';
import type { StreamId } from '../../domain/ids.js';
import type { Hint } from '../../events/bus.js';
import { createLiveSide, type LiveDeps } from './live-watch.js';
import { deliverTo, skipRemoved, slowestSeqOf, welcome, type Reader } from './readers.js';

/** One stream and all who listen to it in this process. */
export interface StreamWatch {
  add(reader: Reader): void;
  /** @returns how many readers are left; without any the watch is closed */
  remove(reader: Reader): number;
  /** There is, or may be, something in PostgreSQL that a reader has not got. */
  pull(): void;
  /** Where the reader is that has come least far; full ones do not count. */
  slowestSeq(): number;
  close(): void;
}

const PAGE = 100;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;

export function createStreamWatch(deps: LiveDeps, streamId: StreamId): StreamWatch {
  const readers = new Set<Reader>();
  const live = createLiveSide(deps, streamId, readers);
  const puller = createPuller(readPage, (error) => {
    deps.logger.warn('stream not readable, trying again', { streamId, error });
  });
  const subscribed = deps.bus.subscribe(streamId, live.inTurn(onHint));

  /** @returns whether there is more to read */
  async function readPage(): Promise<boolean> {
    const after = slowestSeqOf(readers);
    if (after === Infinity) {
      return false;
    }
    const page = await readEvents(deps.db, streamId, { after, limit: PAGE });
    await live.lookingUp();
    skipRemoved(readers, after, page);
    const isBehind = deliver(page); // who came while it was read, and wants more of the past
    if (page.length < PAGE) {
      welcome(readers, page.at(-1)?.seq ?? after);
      live.showAll();
    }
    return page.length === PAGE || isBehind;
  }

  function onHint(hint: Hint): void {
    if ('nudge' in hint || deliver(hint.events)) {
      puller.pull();
    }
  }

  /** @returns whether a reader lacks events that lie before these */
  function deliver(events: readonly StoredEvent[]): boolean {
    live.note(events);
    return deliverTo(readers, events);
  }

  function close(): void {
    puller.stop();
    readers.clear();
    live.update();
    void subscribed.then((unsubscribe) => {
      unsubscribe();
    });
  }

  return {
    add(reader) {
      readers.add(reader);
      live.update();
      void subscribed.then(() => {
        puller.pull(); // only now: what is stored later comes as a hint
      });
    },
    remove(reader) {
      const wasThere = readers.delete(reader);
      live.update();
      if (wasThere && readers.size === 0) {
        close();
      }
      return readers.size;
    },
    pull: puller.pull,
    slowestSeq: () => slowestSeqOf(readers),
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
