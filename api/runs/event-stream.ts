/** A run's events as server-sent events. Source: WHATWG HTML, "Server-sent events". */
import { Readable } from 'node:stream';
import { isExtended, type ClientEvent, type StoredEvent } from '../../domain/events.js';
import type { PipelineId, StreamId } from '../../domain/ids.js';
import type { EventSubscriptions } from '../socket/event-subscription.js';
import { viewEvent } from '../socket/protocol.js';

export interface EventStreamDeps {
  readonly eventSubscriptions: EventSubscriptions;
  /** Ends all streams: their clients come back to another process. */
  readonly stopping: AbortSignal;
  /** How often a silent stream shows that it lives. */
  readonly heartbeatMs: number;
  /**
   * After this long the stream ends and its client reconnects: so a client that has
   * vanished frees its place, and one that may listen no more is noticed.
   */
  readonly longestMs: number;
}

export interface EventStreamOptions {
  readonly streamId: StreamId;
  readonly pipelineId: PipelineId;
  /** Events after this `seq` are wanted. */
  readonly after: number;
  readonly isExtended: boolean;
  /** Nothing more will be told, whether or not all has been read. */
  readonly onEnd: () => void;
}

/** Beyond this the client gets nothing more until it has taken what is on its way. */
const MAX_BUFFERED_BYTES = 262_144;
/** How long a browser waits before it comes back. */
const RETRY_MS = 1_000;

/**
 * The events that a socket would bring, of this run alone: with `seq` as their id where they are
 * stored, up to `pipeline_result`, which ends the stream. A client that does not read is waited
 * for, not buffered for.
 */
export function openEventStream(deps: EventStreamDeps, options: EventStreamOptions): Readable {
  const { eventSubscriptions, stopping, heartbeatMs, longestMs } = deps;
  const outlet = createOutlet({
    onRoom: () => {
      eventSubscription.wake();
    },
    onClose: () => {
      eventSubscription.close();
      clearInterval(heartbeat);
      clearTimeout(limit);
      stopping.removeEventListener('abort', outlet.end);
      options.onEnd();
    },
  });
  const isOfRun = (event: ClientEvent): boolean =>
    'pipeline_id' in event && event.pipeline_id === options.pipelineId;

  outlet.push(`retry: ${RETRY_MS}\n\n`); // at once, so that the client knows that it is connected
  const eventSubscription = eventSubscriptions.open({
    streamId: options.streamId,
    after: options.after,
    onEvent: (event) => {
      if (!isOfRun(event) || (isExtended(event) && !options.isExtended)) {
        return true; // seen, though not shown
      }
      const hasRoom = outlet.push(frameOf(event, event.seq));
      if (event.type === 'pipeline_result') {
        outlet.end();
      }
      return hasRoom;
    },
    onLive: options.isExtended
      ? (event) => !isOfRun(event) || outlet.push(frameOf(event, null))
      : undefined,
  });
  const heartbeat = setInterval(() => {
    outlet.beat();
  }, heartbeatMs);
  const limit = setTimeout(outlet.end, longestMs);
  stopping.addEventListener('abort', outlet.end);
  if (stopping.aborted) {
    outlet.end();
  }
  return outlet.body;
}

/** A bounded body: the writer learns when it is full, and when there is room again. */
function createOutlet({ onRoom, onClose }: { onRoom: () => void; onClose: () => void }) {
  let isFull = false;
  let isOver = false;
  const close = (): void => {
    if (!isOver) {
      isOver = true;
      onClose();
    }
  };
  const body = new Readable({
    highWaterMark: MAX_BUFFERED_BYTES,
    read() {
      if (isFull) {
        isFull = false;
        onRoom();
      }
    },
    destroy(error, done) {
      close();
      done(error);
    },
  });

  /** @returns false if there is no room for another one now; this one is sent nevertheless */
  function push(text: string): boolean {
    isFull = !isOver && !body.push(text);
    return !isFull;
  }

  return {
    body,
    push,
    beat(): void {
      if (!isFull) {
        push(':\n\n');
      }
    },
    end(): void {
      if (!isOver) {
        close();
        body.push(null);
      }
    },
  };
}

/** What has no place in the stream has no id, so that `Last-Event-ID` stays the last one with. */
function frameOf(event: ClientEvent, seq: StoredEvent['seq'] | null): string {
  const id = seq === null ? '' : `id: ${seq}\n`;
  return `${id}event: ${event.type}\ndata: ${viewEvent(event)}\n\n`;
}
