/** The log of what administrators and operators do to what is not theirs. The database refuses every change of it. */
import type { UserId } from '../../domain/ids.js';
import type { Action } from '../../domain/account/permissions.js';
import type { Selectable } from 'kysely';
import type { Db, Tx } from '../connect.js';
import type { AdminActionsTable } from '../schema.js';

export interface AdminAction {
  /** null: a command on the server, without a signed-in user; `details.by` is who ran it. */
  readonly actorId: UserId | null;
  readonly action: Action;
  /** What it was done to: `<kind>:<id>`, ids only. */
  readonly subject: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** In the transaction of what is done, so that nothing is done without its line. */
export async function recordAdminAction(db: Db | Tx, action: AdminAction): Promise<void> {
  const { actorId, subject, details = {} } = action;
  await db
    .insertInto('adminActions')
    .values({ actorId, action: action.action, subject, details: JSON.stringify(details) })
    .execute();
}

export type AdminActionRow = Selectable<AdminActionsTable>;

/** Newest first; `before` is the last page's last id. Ids in a subject may be in capitals. */
export async function listAdminActions(
  db: Db,
  page: {
    readonly actorId?: UserId | undefined;
    readonly subject?: string | undefined;
    readonly before?: number | undefined;
    readonly limit: number;
  },
): Promise<readonly AdminActionRow[]> {
  const { actorId, subject, before, limit } = page;
  return db
    .selectFrom('adminActions')
    .selectAll()
    .$if(actorId !== undefined, (query) => query.where('actorId', '=', actorId ?? ''))
    .$if(subject !== undefined, (query) =>
      query.where('subject', 'in', [subject ?? '', subject?.toLowerCase() ?? '']),
    )
    .$if(before !== undefined, (query) => query.where('id', '<', before ?? 0))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
