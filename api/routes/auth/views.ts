import { z } from 'zod';
import type { UserRow } from '../../../db/users/users.js';
import { dailyLimitUsd, ROLES, UNLIMITED } from '../../../domain/account/permissions.js';
import type { SignedInUser } from '../../http/route.js';

export const userSchema = z
  .object({
    id: z.guid(),
    email: z.string(),
    display_name: z.string(),
    role: z.enum(ROLES),
    awaiting_approval: z.literal(true).optional(),
  })
  .meta({
    id: 'User',
    description: '`awaiting_approval`: can start nothing until an administrator approves',
  });

export function viewUser(
  user: Pick<SignedInUser, 'id' | 'email' | 'displayName' | 'role'>,
  isApproved = true,
): z.output<typeof userSchema> {
  return {
    ...{ id: user.id, email: user.email, display_name: user.displayName, role: user.role },
    ...(isApproved ? {} : { awaiting_approval: true }),
  };
}

export const tokensSchema = z
  .object({
    access_token: z.string(),
    refresh_token: z.string(),
    token_type: z.literal('bearer'),
  })
  .meta({ id: 'Tokens' });

export const accessSchema = z
  .object({
    access_token: z.string(),
    token_type: z.literal('bearer'),
    expires_in: z.int().meta({ description: 'Seconds' }),
  })
  .meta({ id: 'Access' });

export const deletionSchema = z.object({ status: z.literal('deleting') }).meta({ id: 'Deletion' });

export const usageSchema = z
  .object({
    daily_cost: z.number(),
    daily_limit: z.number(),
    remaining: z.number(),
    is_unlimited: z.boolean(),
  })
  .meta({ id: 'Usage', description: 'US dollars; -1 means unlimited' });

export const userBudgetSchema = userSchema
  .extend({ daily_budget_usd: z.number().nullable(), daily_limit: z.number() })
  .meta({
    id: 'UserBudget',
    description: 'US dollars; -1 means unlimited, null: as the role has it',
  });

export function viewUserBudget(user: UserRow): z.output<typeof userBudgetSchema> {
  const { role, dailyBudgetUsd } = user;
  return {
    ...viewUser(user),
    daily_budget_usd: dailyBudgetUsd === null ? null : Number(dailyBudgetUsd),
    daily_limit: Number(dailyLimitUsd(role, dailyBudgetUsd) ?? UNLIMITED),
  };
}

/** @param cost of today, in US dollars, an exact decimal */
export function viewUsage(
  { role, dailyBudgetUsd }: Pick<UserRow, 'role' | 'dailyBudgetUsd'>,
  cost: string,
): z.output<typeof usageSchema> {
  const limit = Number(dailyLimitUsd(role, dailyBudgetUsd) ?? UNLIMITED);
  const isUnlimited = limit === UNLIMITED;
  return {
    daily_cost: rounded(Number(cost)),
    daily_limit: limit,
    remaining: isUnlimited ? UNLIMITED : rounded(Math.max(0, limit - Number(cost))),
    is_unlimited: isUnlimited,
  };
}

/** 4 decimals. Source: contract, http §3. */
function rounded(usd: number): number {
  return Number(usd.toFixed(4));
}
