import { sql, type Kysely } from 'kysely';

/** Users who are being deleted, and the money of theirs that stays, by day, without a person. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table users add column deleted_at timestamptz`,
  `create index ix_users_deleted_at on users (deleted_at) where deleted_at is not null`,
  `create table anonymous_days (
    id uuid primary key default gen_random_uuid(),
    date varchar(10) not null,
    total_cost numeric(20, 12) not null check (total_cost >= 0)
  )`,
  `create index ix_anonymous_days_date on anonymous_days (date)`,
  `alter table cost_ledger
    alter column user_id drop not null,
    add column anonymous_day uuid references anonymous_days on delete cascade,
    add constraint one_payer check (num_nonnulls(user_id, anonymous_day) = 1)`,
  `create index ix_cost_ledger_anonymous_day on cost_ledger (anonymous_day)
    where anonymous_day is not null`,
];
