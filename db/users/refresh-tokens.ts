/** Refresh tokens, one row each: rotated at every use, and a token used twice ends its family. */
import { sql } from 'kysely';
import type { Db, Tx } from '../connect.js';
import { inTransaction } from '../transactions.js';
import type { UserRow } from './users.js';

export interface NewRefreshToken {
  /** the token's `jti` */
  readonly id: string;
  readonly userId: string;
  readonly familyId: string;
  readonly expiresAt: Date;
}

/** Stores a token's row and drops the user's expired ones. */
export async function insertRefreshToken(db: Db, token: NewRefreshToken): Promise<void> {
  await db
    .deleteFrom('refreshTokens')
    .where('userId', '=', token.userId)
    .where('expiresAt', '<', sql<Date>`now()`)
    .execute();
  await db.insertInto('refreshTokens').values(token).execute();
}

export type Rotation =
  | { kind: 'rotated'; user: UserRow; familyId: string }
  | { kind: 'refused' }
  /** The token was used before; its family has ended now. */
  | { kind: 'reused' }
  | { kind: 'user-gone' };

/**
 * Uses a token up and stores its successor in the same family. A token that was used before
 * revokes its family; that is committed although the call is refused.
 */
export async function rotateRefreshToken(
  db: Db,
  request: { id: string; userId: string; successor: { id: string; expiresAt: Date } },
): Promise<Rotation> {
  return inTransaction(db, async (tx): Promise<Rotation> => {
    // The row lock lets one refresh of a user run at a time, so that no successor slips past a revocation.
    const user = await tx
      .selectFrom('users')
      .selectAll()
      .where('id', '=', request.userId)
      .where('deletedAt', 'is', null)
      .where('disabledAt', 'is', null)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (user === undefined) {
      return { kind: 'user-gone' };
    }
    const token = await tx
      .selectFrom('refreshTokens')
      .selectAll()
      .where('id', '=', request.id)
      .where('userId', '=', request.userId)
      .executeTakeFirst();
    if (token === undefined || token.revokedAt !== null) {
      return { kind: 'refused' };
    }
    if (token.usedAt !== null) {
      await revokeFamily(tx, token.familyId);
      return { kind: 'reused' };
    }
    await tx
      .updateTable('refreshTokens')
      .set({ usedAt: new Date() })
      .where('id', '=', request.id)
      .execute();
    const { userId } = request;
    const { familyId } = token;
    await insertRefreshToken(tx, { ...request.successor, userId, familyId });
    return { kind: 'rotated', user, familyId };
  });
}

/** Ends the family that a user's token is of; nothing happens to one that is not stored. */
export async function revokeFamilyOfToken(
  tx: Tx,
  { id, userId }: { id: string; userId: string },
): Promise<void> {
  const token = await tx
    .selectFrom('refreshTokens')
    .select('familyId')
    .where('id', '=', id)
    .where('userId', '=', userId)
    .executeTakeFirst();
  if (token !== undefined) {
    await revokeFamily(tx, token.familyId);
  }
}

async function revokeFamily(tx: Tx, familyId: string): Promise<void> {
  await tx
    .updateTable('refreshTokens')
    .set({ revokedAt: new Date() })
    .where('familyId', '=', familyId)
    .where('revokedAt', 'is', null)
    .execute();
}

/** Ends the user's sessions, except the one that goes on. */
export async function revokeSessions(
  db: Db,
  { userId, except }: { userId: string; except: string | null },
): Promise<void> {
  await db
    .updateTable('refreshTokens')
    .set({ revokedAt: new Date() })
    .where('userId', '=', userId)
    .where('revokedAt', 'is', null)
    .$if(except !== null, (query) => query.where('familyId', '!=', except))
    .execute();
}
