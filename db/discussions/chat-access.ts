import type { ConversationId, UserId } from '../../domain/ids.js';
import type { Role } from '../../domain/account/permissions.js';
import type { Db } from '../connect.js';

export interface ChatAccess {
  /** As it is now, not as it was when the user's token was made. */
  readonly role: Role;
  /** Whether the account may start what costs money. */
  readonly isApproved: boolean;
  /** `seq` of the conversation's newest event; 0 while there is none. */
  readonly lastSeq: number;
}

/** What a user may do in a conversation; null for a missing and for a foreign one alike. */
export async function findChatAccess(
  db: Db,
  conversationId: ConversationId,
  userId: UserId,
): Promise<ChatAccess | null> {
  const access = await db
    .selectFrom('conversations')
    .innerJoin('users', 'users.id', 'conversations.userId')
    .leftJoin('streams', 'streams.id', 'conversations.id')
    .select(['users.role', 'users.awaitingApprovalSince', 'streams.lastSeq'])
    .where('conversations.id', '=', conversationId)
    .where('conversations.userId', '=', userId)
    .where('users.deletedAt', 'is', null)
    .where('users.disabledAt', 'is', null)
    .executeTakeFirst();
  if (access === undefined) {
    return null;
  }
  const { role, awaitingApprovalSince, lastSeq } = access;
  return { role, isApproved: awaitingApprovalSince === null, lastSeq: lastSeq ?? 0 };
}
