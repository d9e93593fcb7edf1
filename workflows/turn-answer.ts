/** What a turn works with and what it leaves behind; shared by the kinds of turn. */
import type { StreamEvent } from '../domain/events.js';
import { readTalk } from '../domain/stored-talk.js';
import type { Talk } from '../domain/talk.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';

/** Who talks, where, and which message it is. */
export interface Turn extends DiscussionInput {
  readonly message: UserMessage;
  /** ISO 8601, UTC; one time for all that the turn notes. */
  readonly now: string;
}

/** `events: null` where they are stored already. */
export interface TurnEnd {
  readonly talk: Talk;
  readonly events: readonly StreamEvent[] | null;
  /** The error of ours that the events apologise for. */
  readonly mistake?: string;
}

export function sayError(talk: Talk, content: string, validEvents?: readonly string[]): TurnEnd {
  const { state } = talk.machine;
  const valid = validEvents === undefined ? {} : { valid_events: validEvents };
  return { talk, events: [{ type: 'error', content, state, ...valid }] };
}

export function recordOf({ conversationId, userId, message }: Turn) {
  return { conversationId, userId, messageId: message.messageId };
}

/** The state that an attempt has stored which this history does not know of; its worker may be of another release. */
export function storedOr(stored: unknown, fallback: Talk): Talk {
  const read = stored == null ? null : readTalk(stored);
  return read?.kind === 'talk' ? read.talk : fallback;
}
