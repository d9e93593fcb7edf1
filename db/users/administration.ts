/** What administrators look through: users, runs and money of everybody, page by page. */
import { sql, type SqlBool } from 'kysely';
import { utcDay } from '../../domain/account/days.js';
import type { PipelineId, UserId } from '../../domain/ids.js';
import type { Role } from '../../domain/account/permissions.js';
import type { PipelineStatus, WaitReason } from '../../domain/run/results.js';
import type { Db } from '../connect.js';
import { TRUE, UNENDED_STATUSES } from '../index-conditions.js';

export interface Page {
  readonly limit: number;
  /** The last page's last id; if that has been deleted meanwhile, nothing follows. */
  readonly after?: string | undefined;
}

export interface UserFilter extends Page {
  /** A part of the address or the name, in any letter case, or the whole id. */
  readonly search?: string | undefined;
  readonly role?: Role | undefined;
  readonly disabled?: boolean | undefined;
  /** Only those that await their approval, or only those that do not. */
  readonly awaitingApproval?: boolean | undefined;
}

/** Accounts, newest first. */
export async function listUsers(db: Db, filter: UserFilter, now: Date) {
  const { search, role, disabled, awaitingApproval, after, limit } = filter;
  const part = search?.toLowerCase() ?? '';
  return db
    .selectFrom('users')
    .leftJoin('userDailyCosts as day', (join) =>
      join.onRef('day.userId', '=', 'users.id').on('day.date', '=', utcDay(now)),
    )
    .select(['users.id', 'email', 'displayName', 'role', 'dailyBudgetUsd'])
    .select([
      'disabledAt',
      'awaitingApprovalSince',
      'users.createdAt',
      'day.totalCost as costToday',
    ])
    .select(({ selectFrom }) =>
      selectFrom('pipelineExecutions as run')
        .select(({ fn }) => fn.countAll<number>().as('open'))
        .whereRef('run.userId', '=', 'users.id')
        .where('run.status', 'in', UNENDED_STATUSES)
        .as('openRuns'),
    )
    .where('deletedAt', 'is', null)
    .$if(search !== undefined, (query) =>
      query.where(
        sql<SqlBool>`(position(${part} in lower(email)) > 0
          or position(${part} in lower(display_name)) > 0 or users.id::text = ${part})`,
      ),
    )
    .$if(role !== undefined, (query) => query.where('role', '=', role ?? 'free'))
    .$if(disabled !== undefined, (query) =>
      query.where('disabledAt', disabled === true ? 'is not' : 'is', null),
    )
    .$if(awaitingApproval !== undefined, (query) =>
      query.where('awaitingApprovalSince', awaitingApproval === true ? 'is not' : 'is', null),
    )
    .$if(after !== undefined, (query) =>
      query.where(
        sql<SqlBool>`(users.created_at, users.id) <
          (select created_at, id from users as last where last.id = ${after}::uuid)`,
      ),
    )
    .orderBy('users.createdAt', 'desc')
    .orderBy('users.id', 'desc')
    .limit(limit)
    .execute();
}

export type ListedUser = Awaited<ReturnType<typeof listUsers>>[number];

export interface RunFilter extends Page {
  readonly userId?: UserId | undefined;
  readonly status?: PipelineStatus | undefined;
  readonly waitingFor?: WaitReason | undefined;
}

/** Runs of everybody, newest first. */
export async function listRuns(db: Db, { userId, status, waitingFor, after, limit }: RunFilter) {
  return runsOf(db)
    .$if(userId !== undefined, (query) => query.where('run.userId', '=', userId ?? ''))
    .$if(status !== undefined, (query) => query.where('run.status', '=', status ?? 'pending'))
    .$if(waitingFor !== undefined, (query) =>
      query.where('run.waitingFor', '=', waitingFor ?? 'slot'),
    )
    .$if(after !== undefined, (query) =>
      query.where(
        sql<SqlBool>`(run.created_at, run.id) < (select created_at, id
          from pipeline_executions as last where last.id = ${after}::uuid)`,
      ),
    )
    .orderBy('run.createdAt', 'desc')
    .orderBy('run.id', 'desc')
    .limit(limit)
    .execute();
}

export type ListedRun = Awaited<ReturnType<typeof listRuns>>[number];

/** Runs that have not ended, oldest first, of those admitted before `olderThan`. */
export async function listUnendedRuns(
  db: Db,
  { olderThan, after, limit }: Page & { readonly olderThan: Date },
): Promise<readonly ListedRun[]> {
  return runsOf(db)
    .where('run.status', 'in', UNENDED_STATUSES)
    .where('run.createdAt', '<', olderThan)
    .$if(after !== undefined, (query) =>
      query.where(
        sql<SqlBool>`(run.created_at, run.id) > (select created_at, id
          from pipeline_executions as last where last.id = ${after}::uuid)`,
      ),
    )
    .orderBy('run.createdAt')
    .orderBy('run.id')
    .limit(limit)
    .execute();
}

export async function findListedRun(db: Db, id: PipelineId): Promise<ListedRun | undefined> {
  return runsOf(db).where('run.id', '=', id).executeTakeFirst();
}

function runsOf(db: Db) {
  return db
    .selectFrom('pipelineExecutions as run')
    .innerJoin('users', 'users.id', 'run.userId')
    .select(['run.id', 'run.userId', 'users.email', 'run.conversationId', 'run.designName'])
    .select(['run.status', 'run.waitingFor', 'run.waitingSince', 'run.holdsSlot'])
    .select(['run.totalCost', 'run.createdAt', 'run.startedAt', 'run.endedAt'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('pipelineExecutions as holder')
          .select('holder.id')
          .whereRef('holder.userId', '=', 'run.userId')
          .where('holder.holdsSlot', '=', TRUE),
      ).as('isSlotTaken'),
    );
}

export interface CostRange {
  /** The first UTC day, `YYYY-MM-DD`. */
  readonly since: string;
  readonly userId?: UserId | undefined;
}

export interface CostDay {
  readonly date: string;
  /** US dollars, exact decimal */
  readonly cost: string;
  /** Of it: calls whose vendor stated no usage, and calls of unknown end; both at their bound. */
  readonly estimatedCost: string;
  readonly unknownCost: string;
  /** How many users it was spent by; those who have been deleted meanwhile are not counted. */
  readonly users: number;
}

/** What everybody, or one user, has cost by UTC day, ascending; deleted users' days included. */
export async function readCostDays(
  db: Db,
  { since, userId }: CostRange,
): Promise<readonly CostDay[]> {
  const { rows } = await sql<CostDay>`
    with not_stated as (
      select date, sum(cost) filter (where state = 'estimated') as estimated,
        sum(cost) filter (where state = 'unknown') as unknown
      from cost_ledger
      where date >= ${since} and state in ('estimated', 'unknown')
        and (${userId ?? null}::uuid is null or user_id = ${userId ?? null}::uuid)
      group by date
    )
    select days.date, sum(total_cost)::text as cost, count(user_id)::int as users,
      coalesce(max(not_stated.estimated), 0)::text as estimated_cost,
      coalesce(max(not_stated.unknown), 0)::text as unknown_cost
    from (
      select date, total_cost, user_id from user_daily_costs
        where date >= ${since} and (${userId ?? null}::uuid is null or user_id = ${userId ?? null}::uuid)
      union all
      select date, total_cost, null from anonymous_days
        where date >= ${since} and ${userId ?? null}::uuid is null
    ) as days left join not_stated on not_stated.date = days.date
    group by days.date order by days.date`.execute(db);
  return rows;
}

/** Who has cost most since a day. */
export async function readTopSpenders(
  db: Db,
  { since, userId, limit }: CostRange & { readonly limit: number },
) {
  return db
    .selectFrom('userDailyCosts as day')
    .innerJoin('users', 'users.id', 'day.userId')
    .select(({ fn }) => ['users.id', 'users.email', fn.sum<string>('day.totalCost').as('cost')])
    .where('day.date', '>=', since)
    .$if(userId !== undefined, (query) => query.where('users.id', '=', userId ?? ''))
    .groupBy(['users.id', 'users.email'])
    .orderBy('cost', 'desc')
    .orderBy('users.id')
    .limit(limit)
    .execute();
}
