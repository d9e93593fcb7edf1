/** A user's runs, page by page, newest first. */
import { sql, type RawBuilder } from 'kysely';
import type { PipelineId, UserId } from '../../domain/ids.js';
import type { PipelineStatus, WaitReason } from '../../domain/run/results.js';
import type { Db } from '../connect.js';

/** The place of a run in the order of pages. */
export interface RunCursor {
  /** Since 1970, an exact decimal. */
  readonly createdAtMicros: string;
  readonly id: PipelineId;
}

export interface RunPageFilter {
  readonly limit: number;
  /** The place before the page. */
  readonly after?: RunCursor | undefined;
  /** One of these. */
  readonly statuses?: readonly PipelineStatus[] | undefined;
  readonly template_id?: string | undefined;
  /** A call of this model is among the run's calls. */
  readonly model?: string | undefined;
  /** Created at `from` or later, and before `to`. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** US dollars, exact decimals, both included. */
  readonly min_cost?: string | undefined;
  readonly max_cost?: string | undefined;
}

export interface RunItem {
  readonly id: PipelineId;
  readonly designName: string;
  readonly status: PipelineStatus;
  readonly waitingFor: WaitReason | null;
  readonly templateId: string | null;
  readonly conversationId: string | null;
  readonly rerunOf: PipelineId | null;
  readonly simulated: boolean;
  readonly agentCount: number;
  readonly totalCost: string;
  readonly durationSeconds: number | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export interface RunPage {
  readonly items: readonly RunItem[];
  /** null: nothing follows */
  readonly next: RunCursor | null;
}

/** Runs that a filter looks through for one page; the next page goes on behind them. */
const MAX_LOOKED_THROUGH = 2_000;

interface Row extends RunItem {
  readonly createdAtMicros: string;
  readonly isMatch: boolean;
  /** 1, 2 … among the runs that are looked through. */
  readonly place: number;
}

/**
 * One page. A filter looks through a bounded number of runs, so a page may have fewer items than `limit`,
 * and more may follow.
 */
export async function listOwnRuns(db: Db, userId: UserId, filter: RunPageFilter): Promise<RunPage> {
  const { limit } = filter;
  const match = matchOf(filter);
  const lookedThrough = match === null ? limit + 1 : MAX_LOOKED_THROUGH;
  const { rows } = await sql<Row>`
    with run as (
      select id, design_name, status, waiting_for, template_id, conversation_id, rerun_of, simulated,
        agent_count, total_cost, duration_seconds, created_at, ended_at
      from pipeline_executions
      where user_id = ${userId}::uuid and ${rangeOf(filter)}
      order by created_at desc, id desc
      limit ${lookedThrough}
    ), placed as (
      select run.*, ${match ?? sql`true`} as is_match,
        row_number() over (order by created_at desc, id desc)::integer as place
      from run
    )
    select placed.*, (extract(epoch from created_at) * 1000000)::bigint::text as created_at_micros
    from placed
    where is_match or place = ${lookedThrough} -- of which more may follow
    order by created_at desc, id desc
    limit ${limit + 1}`.execute(db);
  return pageOf(rows, { limit, lookedThrough });
}

/** Where in the order of the index the page begins and ends: one bound each, or the scan starts at the wrong one. */
function rangeOf({ after, from, to }: RunPageFilter): RawBuilder<unknown> {
  const isAfter = after !== undefined && Number(after.createdAtMicros) < microsOf(to);
  const begins = isAfter
    ? sql`(created_at, id) < (
        timestamptz 'epoch' + ${after.createdAtMicros}::bigint * interval '1 microsecond',
        ${after.id}::uuid)`
    : sql`created_at < ${to ?? 'infinity'}::timestamptz`;
  return sql`${begins} and created_at >= ${from ?? '-infinity'}::timestamptz`;
}

const microsOf = (time: Date | undefined): number => (time?.getTime() ?? Infinity) * 1_000;

function pageOf(
  rows: readonly Row[],
  { limit, lookedThrough }: { readonly limit: number; readonly lookedThrough: number },
): RunPage {
  const isFull = rows.length > limit;
  const items = (isFull ? rows.slice(0, limit) : rows).filter(({ isMatch }) => isMatch);
  const end = isFull ? items.at(-1) : rows.find(({ place }) => place === lookedThrough);
  return {
    items,
    next: end === undefined ? null : { createdAtMicros: end.createdAtMicros, id: end.id },
  };
}

/** @returns null without a filter that looks through runs */
function matchOf(filter: RunPageFilter): RawBuilder<unknown> | null {
  const { statuses, template_id: templateId, model, min_cost: least, max_cost: most } = filter;
  const conditions = [
    statuses === undefined ? null : sql`status = any(${statuses}::text[])`,
    templateId === undefined ? null : sql`template_id = ${templateId}::uuid`,
    least === undefined ? null : sql`total_cost >= ${least}::numeric`,
    most === undefined ? null : sql`total_cost <= ${most}::numeric`,
    model === undefined
      ? null
      : sql`exists (select from cost_ledger as call
          where call.pipeline_id = run.id and call.model = ${model})`,
  ].filter((condition) => condition !== null);
  return conditions.length === 0 ? null : sql`(${sql.join(conditions, sql` and `)})`;
}
