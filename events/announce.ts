import type { Redis } from 'ioredis';
import type { StoredEvent } from '../domain/events.js';
import type { StreamId } from '../domain/ids.js';
import type { Bus } from './bus.js';
import { raiseSessionSeq } from './session-view.js';

/**
 * Publishes stored events: to connected clients, and to the session view where they
 * are a conversation's. Never throws, and waits for Redis a second at most.
 */
export async function announceEvents(
  { bus, redis }: { readonly bus: Bus; readonly redis: Redis },
  streamId: StreamId,
  events: readonly StoredEvent[],
): Promise<void> {
  const last = events.at(-1);
  await Promise.all([
    bus.publish(streamId, events),
    last?.conversation_id === undefined ? null : raiseSessionSeq(redis, streamId, last.seq),
  ]);
}
