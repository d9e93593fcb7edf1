/** What administrators see of everybody. */
import { z } from 'zod';
import type { AdminActionRow } from '../../../db/audit/admin-actions.js';
import type { CostDay, ListedRun, ListedUser } from '../../../db/users/administration.js';
import { dailyLimitUsd, ROLES, UNLIMITED } from '../../../domain/account/permissions.js';
import { WAIT_REASONS } from '../../../domain/run/results.js';
import { STUCK_REASONS } from '../../../domain/run/stuck.js';
import { pipelineStatusNames } from '../runs/views.js';

const time = z.iso.datetime();

export const listedUserSchema = z
  .object({
    id: z.guid(),
    email: z.string(),
    display_name: z.string(),
    role: z.enum(ROLES),
    daily_budget_usd: z.number().nullable(),
    daily_limit: z.number(),
    cost_today: z.number(),
    open_runs: z.int(),
    disabled_at: time.nullable(),
    awaiting_approval_since: time.nullable(),
    created_at: time,
  })
  .meta({ id: 'ListedUser', description: 'US dollars; -1 means unlimited' });

export function viewListedUser(user: ListedUser): z.output<typeof listedUserSchema> {
  const { role, dailyBudgetUsd } = user;
  return {
    id: user.id,
    email: user.email,
    display_name: user.displayName,
    role,
    daily_budget_usd: dailyBudgetUsd === null ? null : Number(dailyBudgetUsd),
    daily_limit: Number(dailyLimitUsd(role, dailyBudgetUsd) ?? UNLIMITED),
    cost_today: Number(user.costToday ?? 0),
    open_runs: user.openRuns ?? 0,
    disabled_at: user.disabledAt?.toISOString() ?? null,
    awaiting_approval_since: user.awaitingApprovalSince?.toISOString() ?? null,
    created_at: user.createdAt.toISOString(),
  };
}

export const listedRunSchema = z
  .object({
    id: z.guid(),
    user_id: z.guid(),
    email: z.string(),
    conversation_id: z.guid().nullable(),
    design_name: z.string(),
    status: z.enum(pipelineStatusNames),
    waiting_for: z.enum(WAIT_REASONS).nullable(),
    waiting_since: time.nullable(),
    holds_slot: z.boolean(),
    cost: z.number(),
    created_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
  })
  .meta({ id: 'ListedRun', description: 'The cost is known at the end' });

export function viewListedRun(run: ListedRun): z.output<typeof listedRunSchema> {
  return {
    id: run.id,
    user_id: run.userId,
    email: run.email,
    conversation_id: run.conversationId,
    design_name: run.designName,
    status: run.status,
    waiting_for: run.waitingFor,
    waiting_since: run.waitingSince?.toISOString() ?? null,
    holds_slot: run.holdsSlot,
    cost: Number(run.totalCost),
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    ended_at: run.endedAt?.toISOString() ?? null,
  };
}

export const stuckSchema = z
  .object({
    runs: z.array(
      listedRunSchema
        .extend({
          why: z.enum(STUCK_REASONS),
          workflow: z.enum(['running', 'closed', 'missing']),
        })
        .meta({ id: 'StuckRun' }),
    ),
    next: z.guid().nullable(),
  })
  .meta({
    id: 'StuckRuns',
    description: '`next`: ask again with it as `after`; null: that was all',
  });

export const releaseSchema = z
  .object({ outcome: z.enum(['asked-to-end', 'closed', 'slot-handed-on']) })
  .meta({ id: 'Release' });

export const costsSchema = z
  .object({
    days: z.array(
      z.object({
        date: z.iso.date(),
        cost: z.number(),
        users: z.int(),
        estimated_cost: z.number(),
        unknown_cost: z.number(),
      }),
    ),
    users: z.array(z.object({ id: z.guid(), email: z.string(), cost: z.number() })),
  })
  .meta({
    id: 'Costs',
    description:
      'US dollars by UTC day, and who has spent most; of deleted users only days are kept. Of `cost`, `estimated_cost` is for answers whose vendor stated no usage, `unknown_cost` for calls of unknown end: both at their upper bound',
  });

export function viewCosts(
  days: readonly CostDay[],
  users: readonly { readonly id: string; readonly email: string; readonly cost: string }[],
): z.output<typeof costsSchema> {
  return {
    days: days.map(({ date, cost, users: spenders, estimatedCost, unknownCost }) => ({
      ...{ date, cost: Number(cost), users: spenders },
      ...{ estimated_cost: Number(estimatedCost), unknown_cost: Number(unknownCost) },
    })),
    users: users.map((user) => ({ ...user, cost: Number(user.cost) })),
  };
}

export const shutSchema = z
  .object({ user: z.guid(), runs_ended: z.int(), runs_left: z.int() })
  .meta({
    id: 'DisabledUser',
    description: 'Runs that could not be reached now are left: the workers end them later',
  });

export const approvedSchema = z.object({ user: z.guid() }).meta({ id: 'ApprovedUser' });

export const openedSchema = z.object({ user: z.guid() }).meta({ id: 'EnabledUser' });

export const actionSchema = z
  .object({
    id: z.int(),
    at: time,
    actor_id: z.guid().nullable().meta({ description: 'null: a command on the server' }),
    action: z.string(),
    subject: z.string(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AdminAction' });

export function viewAction(row: AdminActionRow): z.output<typeof actionSchema> {
  return {
    id: row.id,
    at: row.at.toISOString(),
    actor_id: row.actorId,
    action: row.action,
    subject: row.subject,
    details: { ...row.details },
  };
}
