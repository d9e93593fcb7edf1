import type { Db } from '../../db/connect.js';
import { readDiscussion, readStateVersion } from '../../db/discussions/discussions.js';
import { lastSeq } from '../../db/events.js';
import type { ConversationId } from '../../domain/ids.js';
import {
  readSessionView,
  writeSessionView,
  type SessionStore,
  type SessionView,
} from '../../events/session-view.js';

/**
 * How a discussion stands, without waking its workflow: from Redis, if that is the state stored
 * after its last turn, else from that, which is then kept in Redis again. For showing only: nothing
 * decides on it.
 *
 * @returns null before the first answer, and for a state that cannot be read
 */
export async function readSession(
  { db, ...store }: SessionStore & { readonly db: Db },
  conversationId: ConversationId,
): Promise<SessionView | null> {
  const [view, version] = await Promise.all([
    readSessionView(store, conversationId),
    readStateVersion(db, conversationId),
  ]);
  if (view !== null && view.version === version) {
    return view;
  }
  const seq = await lastSeq(db, conversationId); // first: an old state never gets a newer seq
  const discussion = await readDiscussion(db, conversationId);
  if (discussion?.talk == null) {
    return null; // or unreadable: its next turn says so
  }
  const { userId, talk: discussionState } = discussion;
  const { state, round } = discussionState.machine;
  const { designs, version: rebuiltVersion } = discussionState;
  const rebuilt = { userId, state, round, version: rebuiltVersion, designs, lastSeq: seq };
  await writeSessionView(store, conversationId, rebuilt);
  return rebuilt;
}
