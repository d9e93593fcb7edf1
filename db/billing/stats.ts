import { sql } from 'kysely';
import type { PipelineStatus } from '../../domain/run/results.js';
import type { Db } from '../connect.js';

export interface UsageDay {
  /** `YYYY-MM-DD`, UTC */
  readonly date: string;
  /** US dollars, exact decimal */
  readonly cost: string;
  /** Of it: calls whose vendor stated no usage, and calls of unknown end; both at their bound. */
  readonly estimatedCost: string;
  readonly unknownCost: string;
  /** The user's own messages of that day. */
  readonly requestCount: number;
}

/** Days from `since` on that have a cost or a message of the user's, ascending. */
export async function readUsageHistory(
  db: Db,
  range: { userId: string; since: string },
): Promise<readonly UsageDay[]> {
  const { rows } = await sql<UsageDay>`
    with costs as (
      select date, total_cost from user_daily_costs
      where user_id = ${range.userId} and date >= ${range.since}
    ), not_stated as (
      select date, sum(cost) filter (where state = 'estimated') as estimated,
        sum(cost) filter (where state = 'unknown') as unknown
      from cost_ledger
      where user_id = ${range.userId} and date >= ${range.since} and state in ('estimated', 'unknown')
      group by date
    ), counts as (
      select to_char(messages.created_at at time zone 'UTC', 'YYYY-MM-DD') as date,
             count(*)::int as request_count
      from messages join conversations on conversations.id = messages.conversation_id
      where conversations.user_id = ${range.userId} and messages.role = 'user'
        and messages.created_at >= (${range.since}::timestamp at time zone 'UTC')
      group by 1
    )
    select coalesce(costs.date, counts.date) as date,
           coalesce(costs.total_cost, 0)::text as cost,
           coalesce(not_stated.estimated, 0)::text as estimated_cost,
           coalesce(not_stated.unknown, 0)::text as unknown_cost,
           coalesce(counts.request_count, 0) as request_count
    from costs full join counts on counts.date = costs.date
    left join not_stated on not_stated.date = costs.date
    order by 1`.execute(db);
  return rows;
}

export interface PastPipeline {
  readonly id: string;
  readonly designName: string;
  readonly status: PipelineStatus;
  readonly durationSeconds: number | null;
  readonly agentCount: number;
  readonly createdAt: Date;
}

/** The user's newest runs first. */
export async function readPipelineHistory(
  db: Db,
  range: { userId: string; limit: number },
): Promise<readonly PastPipeline[]> {
  return db
    .selectFrom('pipelineExecutions')
    .select(['id', 'designName', 'status', 'durationSeconds', 'agentCount', 'createdAt'])
    .where('userId', '=', range.userId)
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .limit(range.limit)
    .execute();
}

export interface Totals {
  readonly conversations: number;
  readonly messages: number;
  readonly templates: number;
  readonly pipelines: number;
}

/** How much of everything the user owns. */
export async function readTotals(db: Db, userId: string): Promise<Totals> {
  const { rows } = await sql<Totals>`
    select
      (select count(*)::int from conversations where user_id = ${userId}) as conversations,
      (select count(*)::int from messages
        join conversations on conversations.id = messages.conversation_id
        where conversations.user_id = ${userId}) as messages,
      (select count(*)::int from pipeline_templates where user_id = ${userId}) as templates,
      (select count(*)::int from pipeline_executions where user_id = ${userId}) as pipelines`.execute(
    db,
  );
  return rows[0] ?? { conversations: 0, messages: 0, templates: 0, pipelines: 0 };
}
