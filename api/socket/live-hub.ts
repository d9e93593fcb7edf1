/**
 * The agents at work in one stream, for those of its cursors that want to see them: a copy of what
 * Redis holds, kept up by what Redis tells. What does not fit is read again.
 */
import type { Redis } from 'ioredis';
import type { Db } from '../../db/connect.js';
import type { StoredEvent } from '../../domain/events.js';
import type { StreamId } from '../../domain/ids.js';
import type { Bus, LiveMessage } from '../../events/bus.js';
import type { Macs } from '../../events/macs.js';
import type { Logger } from '../../telemetry/logger.js';
import { createLiveAgents, grow, type LiveAgent } from './live-agents.js';
import { createLiveLookup, findAgents } from './live-lookup.js';
import type { LiveView } from './live-view.js';

export interface LiveDeps {
  readonly db: Db;
  readonly redis: Redis;
  readonly macs: Macs;
  readonly bus: Bus;
  readonly logger: Logger;
}

/** A reader as the watch sees it. */
export interface LiveCursor {
  readonly seq: number;
  isFull: boolean;
  /** It has got all that is stored; only then does live text make sense. */
  readonly isCurrent: boolean;
  /** Null: it wants no live text. */
  readonly live: LiveView | null;
}

/** Live events of a stream, beside its stored ones, for as long as a reader wants them. */
export interface LiveSide {
  /** To be called when cursors have come or gone. */
  update(): void;
  /** Shows each reader what it has not seen, as far as it has room. */
  showAll(): void;
  /** To be told of stored events before any reader gets them: what has ended is shown no more. */
  note(events: readonly StoredEvent[]): void;
  /** To be waited for before stored events are delivered: live events so far belong before them. */
  lookingUp(): Promise<void> | null;
  /** The same work, done at once or when nothing is being looked up. */
  inTurn<T>(work: (value: T) => void): (value: T) => void;
}

export function createLiveSide(
  deps: LiveDeps,
  streamId: StreamId,
  cursors: ReadonlySet<LiveCursor>,
): LiveSide {
  let watch: LiveHub | null = null;
  const lookingUp = (): Promise<void> | null => watch?.lookingUp() ?? null;
  return {
    update() {
      if ([...cursors].some(({ live }) => live !== null)) {
        watch ??= createLiveHub(deps, streamId, cursors);
      } else {
        watch?.close();
        watch = null;
      }
    },
    showAll: () => watch?.showAll(),
    note: (events) => watch?.note(events),
    lookingUp,
    inTurn: (work) => (value) => {
      const found = lookingUp();
      if (found === null) {
        work(value);
      } else {
        void found.then(() => {
          work(value);
        });
      }
    },
  };
}

interface LiveHub extends Pick<LiveSide, 'showAll' | 'note' | 'lookingUp'> {
  close(): void;
}

function createLiveHub(
  deps: LiveDeps,
  streamId: StreamId,
  cursors: ReadonlySet<LiveCursor>,
): LiveHub {
  const agents = createLiveAgents();
  const lookup = createLiveLookup({
    find: (refs) => findAgents(deps, { streamId, refs, open: agents.open() }),
    take,
    onFailure: (error) => {
      deps.logger.warn('agents at work not readable, trying again', { streamId, error });
    },
  });
  const subscribed = deps.bus.subscribeLive(streamId, hear);
  void subscribed.then(lookup.all);

  function hear(message: LiveMessage | null): void {
    if (message === null) {
      lookup.all();
    } else if (!agents.isOver(message)) {
      const agent = agents.find(message);
      if (agent === null || lookup.has(agent) || !grow(agent, message)) {
        lookup.one(message);
      } else {
        showAll();
      }
    }
  }

  function take(found: readonly LiveAgent[]): void {
    const seqs = [...cursors].flatMap(({ seq, live }) => (live === null ? [] : seq));
    for (const agent of found.filter(({ endSeq }) => seqs.some((seq) => seq < endSeq))) {
      agents.put(agent);
    }
    showAll();
  }

  function showAll(): void {
    cursors.forEach(show);
  }

  function show(cursor: LiveCursor): void {
    for (const agent of agents.all()) {
      if (cursor.live === null || !cursor.isCurrent || cursor.isFull) {
        return;
      }
      if (cursor.seq < agent.endSeq) {
        cursor.isFull = !cursor.live.show(agent);
      }
    }
  }

  return {
    showAll,
    note: agents.note,
    lookingUp: lookup.underWay,
    close() {
      lookup.stop();
      void subscribed.then((unsubscribe) => {
        unsubscribe();
      });
    },
  };
}
