import { setTimeout as pause } from 'node:timers/promises';
import type { ConversationId, MessageId, UserId } from '../../domain/ids.js';
import type { Role } from '../../domain/account/permissions.js';
import {
  FIRST_MESSAGE_RETRY_MS,
  LONGEST_MESSAGE_RETRY_MS,
  LONGEST_MESSAGE_TRY_MS,
  SHORTEST_MESSAGE_TRY_MS,
} from '../../temporal/client/timeouts.js';
import { withDeadline } from './deadline.js';

/** A message on its way to its discussion. */
export interface OutgoingMessage {
  readonly conversationId: ConversationId;
  readonly userId: UserId;
  /** As it was when the socket was opened. */
  readonly role: Role;
  readonly messageId: MessageId;
  readonly content: string;
  /** ISO 8601, UTC */
  readonly receivedAt: string;
}

/**
 * Resolves when Temporal has acknowledged the message: it is accepted.
 *
 * @param timeoutMs no try may go on, unseen, after this long
 */
export type SendMessage = (message: OutgoingMessage, timeoutMs: number) => Promise<void>;

/**
 * Sends a message, again and again under the same id until `timeoutMs` have passed
 * since it was received.
 *
 * @throws the last failure
 */
export async function sendUntilAccepted(
  send: SendMessage,
  draft: Omit<OutgoingMessage, 'receivedAt'> & { readonly receivedAt: Date },
  timeoutMs: number,
): Promise<void> {
  const deadline = draft.receivedAt.getTime() + timeoutMs;
  const message = { ...draft, receivedAt: draft.receivedAt.toISOString() };
  for (
    let waitMs = FIRST_MESSAGE_RETRY_MS;
    ;
    waitMs = Math.min(waitMs * 2, LONGEST_MESSAGE_RETRY_MS)
  ) {
    const leftMs = Math.max(deadline - Date.now(), SHORTEST_MESSAGE_TRY_MS);
    const tryMs = Math.min(leftMs, LONGEST_MESSAGE_TRY_MS);
    try {
      await withDeadline(send(message, tryMs), tryMs);
      return;
    } catch (error) {
      if (Date.now() + waitMs >= deadline) {
        throw error;
      }
      await pause(waitMs);
    }
  }
}
