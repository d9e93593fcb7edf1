/** What the channels of the bus carry; parsed, because Redis is outside the process. */
import { z } from 'zod';
import type { StoredEvent } from '../domain/events.js';
import type { StreamId, UserId } from '../domain/ids.js';

/** Something has been stored: the events themselves, or only the news that there are some. */
export type Notification = { readonly events: readonly StoredEvent[] } | { readonly nudge: true };

export const KEY_CHANGED_CHANNEL = 'agentforge:key-changed';
export const USER_GONE_CHANNEL = 'agentforge:user-gone';

export function channelOf(streamId: StreamId): string {
  return `agentforge:events:${streamId}`;
}

/** Larger hints are cheaper to read from PostgreSQL, once per process, than to copy to all. */
const MAX_NOTIFICATION_BYTES = 65_536;
const EMPTY_NOTIFICATION = JSON.stringify({ nudge: true });

export function encodeNotification(notification: Notification): string {
  const text = JSON.stringify(notification);
  return Buffer.byteLength(text) > MAX_NOTIFICATION_BYTES ? EMPTY_NOTIFICATION : text;
}

const StoredEventShape = z.looseObject({
  type: z.string().min(1),
  seq: z.int().min(1),
  timestamp: z.string().min(1),
});

const NotificationShape = z.union([
  z.object({ nudge: z.literal(true) }),
  z.object({
    events: z.array(z.custom<StoredEvent>((value) => StoredEventShape.safeParse(value).success)),
  }),
]);

/** @returns null for anything that is no hint of ours */
export function parseNotification(text: string): Notification | null {
  const parsed = NotificationShape.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

const UserShape = z.object({ userId: z.uuid() });

export function encodeUser(userId: UserId): string {
  return JSON.stringify({ userId });
}

/** @returns null for anything that names no user */
export function parseUser(text: string): UserId | null {
  const parsed = UserShape.safeParse(parseJson(text));
  return parsed.success ? parsed.data.userId : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
