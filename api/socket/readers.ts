import type { StoredEvent } from '../../domain/events.js';
import type { LiveReader } from './live-watch.js';

/** How far one listener has come. */
export interface Reader extends LiveReader {
  /** `seq` of the last event it got. */
  seq: number;
  /** It has no room now; what it misses stays in PostgreSQL until it asks. */
  isFull: boolean;
  isCurrent: boolean;
  readonly onEvent: (event: StoredEvent) => boolean;
}

/** Where the reader is that has come least far; full ones do not count. */
export function slowestSeqOf(readers: Iterable<Reader>): number {
  return Math.min(...[...readers].filter(({ isFull }) => !isFull).map(({ seq }) => seq));
}

/** @returns whether a reader lacks events that lie before these */
export function deliverTo(readers: Iterable<Reader>, events: readonly StoredEvent[]): boolean {
  return [...readers].filter((reader) => !feed(reader, events)).length > 0;
}

/** Those who have got all that is stored may see what is not. */
export function welcome(readers: Iterable<Reader>, lastSeq: number): void {
  for (const reader of readers) {
    reader.isCurrent ||= !reader.isFull && reader.seq >= lastSeq;
  }
}

/**
 * A stream is stored without gaps: what is not there any more was too old to keep.
 *
 * @param after what `page` was read from
 */
export function skipRemoved(
  readers: Iterable<Reader>,
  after: number,
  [first]: readonly StoredEvent[],
): void {
  for (const reader of readers) {
    if (first !== undefined && reader.seq >= after) {
      reader.seq = Math.max(reader.seq, first.seq - 1);
    }
  }
}

/** @returns false at a gap */
function feed(reader: Reader, events: readonly StoredEvent[]): boolean {
  for (const event of events) {
    if (reader.isFull) {
      return true;
    }
    if (event.seq > reader.seq + 1) {
      return false;
    }
    if (event.seq === reader.seq + 1) {
      reader.seq = event.seq;
      reader.isFull = !reader.onEvent(event);
    }
  }
  return true;
}
