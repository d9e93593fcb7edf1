import type { Redis } from 'ioredis';
import type { Db } from '../db/connect.js';
import { readDiscussion } from '../db/discussions.js';
import { lastSeq } from '../db/events.js';
import type { ConversationId } from '../domain/ids.js';
import { readSessionView, writeSessionView, type SessionView } from '../events/session-view.js';

/**
 * How a discussion stands, without waking its workflow: from Redis, else from the state stored
 * after its last turn, which is then kept in Redis again. For showing only: nothing decides on it.
 *
 * @returns null before the first answer
 */
export async function readSession(
  { db, redis }: { db: Db; redis: Redis },
  conversationId: ConversationId,
): Promise<SessionView | null> {
  const view = await readSessionView(redis, conversationId);
  if (view !== null) {
    return view;
  }
  const seq = await lastSeq(db, conversationId); // first: an old state never gets a newer seq
  const discussion = await readDiscussion(db, conversationId);
  if (discussion === undefined) {
    return null;
  }
  const { userId, talk } = discussion;
  const { state, round } = talk.machine;
  const rebuilt = { userId, state, round, designs: talk.designs, lastSeq: seq };
  await writeSessionView(redis, conversationId, rebuilt);
  return rebuilt;
}
