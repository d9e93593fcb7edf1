/**
 * What the server's own vendor keys pay, by vendor and UTC day: the sum of the ledger's calls that
 * they paid, open reservations included. Parts of the statements of `costs.ts`: a day of a server
 * key is locked after the user's day and before the calls. Calls that a user's own key pays never
 * touch it.
 */
import { sql } from 'kysely';
import type { CallEstimate } from '../../domain/account/costs.js';
import { utcDay } from '../../domain/account/days.js';
import type { Db } from '../connect.js';

type Paid = Pick<CallEstimate, 'provider' | 'isServerKey'>;

export async function makeServerDay(
  db: Db,
  { provider, isServerKey }: Paid,
  now: Date,
): Promise<void> {
  if (isServerKey === true) {
    await db
      .insertInto('serverKeyDays')
      .values({ provider, date: utcDay(now) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** What each of the server's keys has paid today; nothing for a key that was not asked. */
export async function readServerKeyDay(db: Db, now = new Date()) {
  return db
    .selectFrom('serverKeyDays')
    .select(['provider', 'totalCost'])
    .where('date', '=', utcDay(now))
    .orderBy('provider')
    .execute();
}

/** Whether no key of the server may pay any more today; a run may ask each of the vendors. */
export function isEveryServerKeySpent(
  limit: { readonly vendors: readonly string[]; readonly dailyUsd: string } | undefined,
  date: string,
) {
  return limit === undefined
    ? sql<boolean>`false`
    : sql<boolean>`not exists (
        select from unnest(${limit.vendors}::text[]) as vendor (name)
        left join server_key_days as paid on paid.provider = vendor.name and paid.date = ${date}
        where coalesce(paid.total_cost, 0) < ${limit.dailyUsd}::numeric
      )`;
}

/**
 * `server_day`: the day of the server key that pays the call, locked; nothing where a user's key
 * pays. `left_usd` of it is null without a limit.
 */
export function lockingServerDay(
  { provider, isServerKey = false }: Paid,
  { date, dailyUsd }: { readonly date: string; readonly dailyUsd: string | null },
) {
  return sql`
    server_day as (
      select provider, date, ${dailyUsd}::numeric - total_cost as left_usd
      from server_key_days
      where ${isServerKey}::boolean and provider = ${provider} and date = ${date}
        and exists (select from day) -- which is locked first
      for no key update
    )`;
}

/** Charges `call` to `server_day`, too. */
export const chargingServerDay = sql`
    server_charged as (
      update server_key_days as paying
      set total_cost = paying.total_cost + call.cost, updated_at = now()
      from server_day, call
      where paying.provider = server_day.provider and paying.date = server_day.date
    )`;

/** `server_day` of a call that ends: the day that it was reserved on, locked. */
export function lockingServerDayOf(callId: string) {
  return sql`
    server_day as (
      select paying.provider, paying.date from server_key_days as paying
      join cost_ledger as call on call.provider = paying.provider and call.date = paying.date
      where call.id = ${callId}::uuid and call.is_server_key
        and exists (select from day) -- which is locked first
      for no key update of paying
    )`;
}

/** Moves `server_day` with the call: from what it cost `before` to what it costs when `closed`. */
export const movingServerDay = sql`
    server_charged as (
      update server_key_days as paying
      set total_cost = paying.total_cost - before.cost + closed.cost, updated_at = now()
      from server_day, before, closed
      where paying.provider = server_day.provider and paying.date = server_day.date
    )`;
