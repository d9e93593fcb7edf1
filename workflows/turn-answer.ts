/** What a turn leaves behind. */
import type { StreamEvent } from '../domain/events.js';
import { readTalk } from '../domain/stored-talk.js';
import type { Talk } from '../domain/talk.js';

/** `events: null` where they are stored already. */
export interface TurnEnd {
  readonly state: Talk;
  readonly events: readonly StreamEvent[] | null;
  /** The error of ours that the events apologise for. */
  readonly mistake?: string;
}

/** The state that an attempt has stored which this history does not know of; its worker may be of another release. */
export function storedOr(stored: unknown, fallback: Talk): Talk {
  const read = stored == null ? null : readTalk(stored);
  return read?.kind === 'talk' ? read.talk : fallback;
}
