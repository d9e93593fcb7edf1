/** The most that each user's day has ever been charged: PostgreSQL itself notes every change. */
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';

export interface HighWater {
  readonly userId: string;
  /** US dollars, exact decimals */
  readonly mostUsd: string;
}

/** @returns reads what was noted since */
export async function watchDays(db: Db): Promise<() => Promise<readonly HighWater[]>> {
  for (const statement of STATEMENTS) {
    await statement.execute(db);
  }
  return async () => {
    const { rows } = await sql<HighWater>`
      select user_id, max(most)::text as most_usd from bench_high_water group by user_id`.execute(
      db,
    );
    return rows;
  };
}

const STATEMENTS = [
  sql`create table bench_high_water (
    user_id uuid not null, date text not null, most numeric not null, primary key (user_id, date))`,
  sql`create function bench_note_high_water() returns trigger language plpgsql as $$
    begin
      insert into bench_high_water values (new.user_id, new.date, new.total_cost)
      on conflict (user_id, date)
        do update set most = greatest(bench_high_water.most, excluded.most);
      return null;
    end $$`,
  sql`create trigger bench_high_water after insert or update on user_daily_costs
    for each row execute function bench_note_high_water()`,
];
