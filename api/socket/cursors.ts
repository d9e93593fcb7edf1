import type { StoredEvent } from '../../domain/events.js';
import type { LiveCursor } from './live-hub.js';

/** How far one listener has come. */
export interface Cursor extends LiveCursor {
  /** `seq` of the last event it got. */
  seq: number;
  /** It has no room now; what it misses stays in PostgreSQL until it asks. */
  isFull: boolean;
  isCurrent: boolean;
  readonly onEvent: (event: StoredEvent) => boolean;
}

/** Where the reader is that has come least far; full ones do not count. */
export function slowestSeqOf(cursors: Iterable<Cursor>): number {
  return Math.min(...[...cursors].filter(({ isFull }) => !isFull).map(({ seq }) => seq));
}

/** @returns whether a reader lacks events that lie before these */
export function deliverTo(cursors: Iterable<Cursor>, events: readonly StoredEvent[]): boolean {
  return [...cursors].filter((cursor) => !eventSubscription(cursor, events)).length > 0;
}

/** Those who have got all that is stored may see what is not. */
export function catchUp(cursors: Iterable<Cursor>, lastSeq: number): void {
  for (const cursor of cursors) {
    cursor.isCurrent ||= !cursor.isFull && cursor.seq >= lastSeq;
  }
}

/**
 * A stream is stored without gaps: what is not there any more was too old to keep.
 *
 * @param after what `page` was read from
 */
export function skipRemoved(
  cursors: Iterable<Cursor>,
  after: number,
  [first]: readonly StoredEvent[],
): void {
  for (const cursor of cursors) {
    if (first !== undefined && cursor.seq >= after) {
      cursor.seq = Math.max(cursor.seq, first.seq - 1);
    }
  }
}

/** @returns false at a gap */
function eventSubscription(cursor: Cursor, events: readonly StoredEvent[]): boolean {
  for (const event of events) {
    if (cursor.isFull) {
      return true;
    }
    if (event.seq > cursor.seq + 1) {
      return false;
    }
    if (event.seq === cursor.seq + 1) {
      cursor.seq = event.seq;
      cursor.isFull = !cursor.onEvent(event);
    }
  }
  return true;
}
