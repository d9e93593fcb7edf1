/** A user's runs, page by page, newest first. */
import { sql, type RawBuilder } from 'kysely';
import type { PipelineId, UserId } from '../../domain/ids.js';
import type { PipelineStatus, WaitReason } from '../../domain/run/results.js';
import type { Db } from '../connect.js';
import { allOf, readPage, timeOf, type Page, type TimeCursor } from '../pages.js';

export interface RunPageFilter {
  readonly limit: number;
  /** The place before the page. */
  readonly after?: TimeCursor | undefined;
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

export async function listOwnRuns(
  db: Db,
  userId: UserId,
  filter: RunPageFilter,
): Promise<Page<RunItem>> {
  const rows = sql`
    select id, design_name, status, waiting_for, template_id, conversation_id, rerun_of, simulated,
      agent_count, total_cost, duration_seconds, created_at, ended_at
    from pipeline_executions
    where user_id = ${userId}::uuid and ${rangeOf(filter)}`;
  const { limit } = filter;
  return readPage(db, { rows, time: 'created_at', filter: matchOf(filter), limit });
}

/** Where in the order of the index the page begins and ends: one bound each, or the scan starts at the wrong one. */
function rangeOf({ after, from, to }: RunPageFilter): RawBuilder<unknown> {
  const end = (to?.getTime() ?? Infinity) * 1_000;
  const isAfter = after !== undefined && Number(after.micros) < end;
  const begins = isAfter
    ? sql`(created_at, id) < (${timeOf(after)}, ${after.id}::uuid)`
    : sql`created_at < ${to ?? 'infinity'}::timestamptz`;
  return sql`${begins} and created_at >= ${from ?? '-infinity'}::timestamptz`;
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
          where call.pipeline_id = listed.id and call.model = ${model})`,
  ].filter((condition) => condition !== null);
  return allOf(conditions);
}
