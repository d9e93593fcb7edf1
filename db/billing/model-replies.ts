/** Replies of vendors, one for each step. */
import type { Selectable } from 'kysely';
import type { StepId } from '../../domain/ids.js';
import type { ChargedReply } from '../../domain/agents/models.js';
import type { Db } from '../connect.js';
import type { ModelRepliesTable } from '../schema.js';

export type ReplyRow = Selectable<ModelRepliesTable>;

/** @returns null as long as the step has none */
export async function findReply(db: Db, stepId: StepId): Promise<ChargedReply | null> {
  const row = await db
    .selectFrom('modelReplies')
    .selectAll()
    .where('stepId', '=', stepId)
    .executeTakeFirst();
  return row === undefined ? null : replyOf(row);
}

export function replyOf(row: ReplyRow): ChargedReply {
  const { content, provider, model, finish, requestId, fallbackFrom, calls } = row;
  const usage = { promptTokens: row.promptTokens, completionTokens: row.completionTokens };
  const costUsd = Number(row.cost);
  return { content, provider, model, usage, finish, requestId, costUsd, fallbackFrom, calls };
}
