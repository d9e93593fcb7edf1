/** What a user's calls have cost, as the database has it. */
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';

export interface Money {
  readonly settled: readonly string[];
  readonly unknown: readonly string[];
  /** Calls that are neither, and unknown ones that are not charged as reserved. */
  readonly wrong: readonly string[];
  readonly dayIsSum: boolean;
}

/** Calls are named by the node or purpose in their step id. */
export async function readMoney(db: Db, userId: string): Promise<Money> {
  const calls = await db
    .selectFrom('costLedger')
    .select(['stepId', 'state', 'cost', 'reserved'])
    .where('userId', '=', userId)
    .execute();
  const inState = (state: string) =>
    calls.filter((call) => call.state === state).map(({ stepId }) => stepId.split(':')[1] ?? '');
  const isWrong = ({ state, cost, reserved }: (typeof calls)[number]) =>
    state === 'unknown' ? cost !== reserved || Number(cost) <= 0 : state !== 'settled';
  return {
    settled: inState('settled').sort(),
    unknown: inState('unknown').sort(),
    wrong: calls.filter(isWrong).map(({ state, stepId }) => `${state} ${stepId}`),
    dayIsSum: await isDaySum(db, userId),
  };
}

async function isDaySum(db: Db, userId: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from user_daily_costs as day
    full join (
      select user_id, date, sum(cost) as cost from cost_ledger group by user_id, date
    ) as ledger on ledger.user_id = day.user_id and ledger.date = day.date
    where ${userId}::uuid in (day.user_id, ledger.user_id)
      and coalesce(day.total_cost, 0) <> coalesce(ledger.cost, 0)`.execute(db);
  return rows.length === 0;
}
