/** Nodes that wait for their run's owner: what is asked, what was said, what was decided. */
import { sql, type Selectable } from 'kysely';
import type { ConversationId, PipelineId, UserId } from '../../domain/ids.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import { microsOf, timeOf, type TimeCursor } from '../pages.js';
import type { ApprovalOffersTable, ApprovalsTable } from '../schema.js';

export type ApprovalRow = Selectable<ApprovalsTable>;

export interface ApprovalRequest {
  readonly pipelineId: PipelineId;
  readonly node: string;
  readonly agentName: string;
  readonly input: string;
  readonly onTimeout: 'approve' | 'reject';
  readonly requestedAt: Date;
  readonly deadline: Date;
}

/** Asks once: a request that is there already stays as it is, and is returned. */
export async function requestApproval(tx: Tx, request: ApprovalRequest): Promise<ApprovalRow> {
  await tx
    .insertInto('approvals')
    .values({ ...request, input: toStorableText(request.input) })
    .onConflict((conflict) => conflict.columns(['pipelineId', 'node']).doNothing())
    .execute();
  return tx
    .selectFrom('approvals')
    .selectAll()
    .where('pipelineId', '=', request.pipelineId)
    .where('node', '=', request.node)
    .executeTakeFirstOrThrow();
}

export async function findApproval(
  db: Db | Tx,
  { pipelineId, node }: { pipelineId: PipelineId; node: string },
): Promise<ApprovalRow | null> {
  const approval = await db
    .selectFrom('approvals')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .where('node', '=', node)
    .executeTakeFirst();
  return approval ?? null;
}

/** In the order in which they were asked for. */
export async function listApprovals(
  db: Db,
  pipelineId: PipelineId,
): Promise<readonly ApprovalRow[]> {
  return db
    .selectFrom('approvals')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .orderBy('requestedAt')
    .orderBy('node')
    .execute();
}

/** The place of an approval in the order of the inbox. */
export interface InboxCursor {
  /** When it was requested, and of which run. */
  readonly request: TimeCursor;
  readonly node: string;
}

export interface InboxItem {
  readonly pipelineId: PipelineId;
  readonly designName: string;
  readonly conversationId: ConversationId | null;
  readonly node: string;
  readonly agentName: string;
  /** The first characters of what is to be approved. */
  readonly preview: string;
  readonly requestedAt: Date;
  readonly deadline: Date;
  readonly onTimeout: 'approve' | 'reject';
}

export interface InboxPage {
  readonly items: readonly InboxItem[];
  /** How many there are on all pages. */
  readonly open: number;
  /** null: nothing follows */
  readonly next: InboxCursor | null;
}

const PREVIEW_CHARACTERS = 500;

/** What a user's runs wait for, over all runs; the longest wait comes first. */
export async function listOpenApprovals(
  db: Db,
  userId: UserId,
  { limit, after }: { readonly limit: number; readonly after?: InboxCursor | undefined },
): Promise<InboxPage> {
  const { rows } = await sql<InboxItem & { readonly micros: string; readonly open: number }>`
    with open as (
      select approval.*, run.design_name, run.conversation_id
      from pipeline_executions as run join approvals as approval on approval.pipeline_id = run.id
      where run.user_id = ${userId}::uuid and run.status in ${UNENDED_STATUSES}
        and approval.state = 'wanted'
    )
    select pipeline_id, design_name, conversation_id, node, agent_name,
      left(input, ${PREVIEW_CHARACTERS}) as preview, requested_at, deadline, on_timeout,
      ${microsOf('requested_at')} as micros,
      (select count(*)::integer from open) as open
    from open
    where ${after === undefined ? sql`true` : isBehind(after)}
    order by requested_at, pipeline_id, node
    limit ${limit + 1}`.execute(db);
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items,
    open: rows[0]?.open ?? 0,
    next:
      last === undefined
        ? null
        : { request: { micros: last.micros, id: last.pipelineId }, node: last.node },
  };
}

function isBehind({ request, node }: InboxCursor) {
  return sql`(requested_at, pipeline_id, node) > (${timeOf(request)}, ${request.id}::uuid, ${node})`;
}

export interface ApprovalResponse {
  readonly id: string;
  readonly pipelineId: PipelineId;
  readonly node: string;
  readonly userId: UserId;
  readonly decision: 'approve' | 'reject';
  readonly input: string | null;
  readonly comment: string | null;
}

/** Of one node; what a run is proved by shall not grow with each try. */
const MAX_RESPONSES = 10;

/**
 * Keeps what the owner says; its texts reach the run by this row's id alone. Of those that were
 * not taken the oldest go: their owner has said something else since.
 */
export async function insertResponse(db: Db, response: ApprovalResponse): Promise<void> {
  const { pipelineId, node } = response;
  await db
    .with('kept', (kept) =>
      kept
        .insertInto('approvalOffers')
        .values({
          ...response,
          input: response.input === null ? null : toStorableText(response.input),
          comment: response.comment === null ? null : toStorableText(response.comment),
        })
        .returning('id'),
    )
    .deleteFrom('approvalOffers')
    .where('id', 'in', (older) =>
      older
        .selectFrom('approvalOffers')
        .select('id')
        .where('pipelineId', '=', pipelineId)
        .where('node', '=', node)
        .orderBy('createdAt', 'desc')
        .orderBy('id')
        .offset(MAX_RESPONSES - 1),
    )
    .where('id', 'not in', (taken) =>
      taken
        .selectFrom('approvals')
        .select('offerId')
        .where('pipelineId', '=', pipelineId)
        .where('offerId', 'is not', null)
        .$narrowType<{ offerId: string }>(),
    )
    .execute();
}

/**
 * Decides by an offer, or without one as the deadline has it; the first decision stays.
 *
 * @returns the approval as it is decided; still `wanted` if there is no such offer; null if no one
 *   was asked
 */
export async function decideApproval(
  tx: Tx,
  {
    offerId,
    now,
    ...key
  }: { pipelineId: PipelineId; node: string; offerId: string | null; now: Date },
): Promise<ApprovalRow | null> {
  const { pipelineId, node } = key;
  const asked = await tx
    .selectFrom('approvals')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .where('node', '=', node)
    .forUpdate()
    .executeTakeFirst();
  if (asked === undefined) {
    return null;
  }
  const response = offerId === null ? null : await findResponse(tx, { ...key, offerId });
  const isOffered = offerId === null || response !== null;
  return asked.state === 'wanted' && isOffered
    ? settle(tx, asked, { offer: response, now })
    : asked;
}

type Response = Selectable<ApprovalOffersTable>;

async function settle(
  tx: Tx,
  { pipelineId, node, onTimeout }: ApprovalRow,
  { offer: response, now }: { offer: Response | null; now: Date },
): Promise<ApprovalRow> {
  const { id, decision, input, comment, userId } = response ?? {
    ...NO_RESPONSE,
    decision: onTimeout,
  };
  return tx
    .updateTable('approvals')
    .set({
      state: decision === 'approve' ? 'approved' : 'rejected',
      editedInput: input,
      comment,
      decidedBy: userId,
      offerId: id,
      decidedAt: now,
    })
    .where('pipelineId', '=', pipelineId)
    .where('node', '=', node)
    .returningAll()
    .executeTakeFirstOrThrow();
}

const NO_RESPONSE = { id: null, input: null, comment: null, userId: null } as const;

async function findResponse(
  tx: Tx,
  { pipelineId, node, offerId }: { pipelineId: PipelineId; node: string; offerId: string },
): Promise<Response | null> {
  const response = await tx
    .selectFrom('approvalOffers')
    .selectAll()
    .where('id', '=', offerId)
    .where('pipelineId', '=', pipelineId)
    .where('node', '=', node)
    .executeTakeFirst();
  return response ?? null;
}

/** No decision is needed any more. @returns the statement, to be part of another one */
export function withdrawApprovals(tx: Tx, pipelineId: PipelineId, now: Date) {
  return tx
    .updateTable('approvals')
    .set({ state: 'withdrawn', decidedAt: now })
    .where('pipelineId', '=', pipelineId)
    .where('state', '=', 'wanted');
}
