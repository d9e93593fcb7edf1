import { sql, type Kysely } from 'kysely';

/** What a server's vendor key pays is known of each call, and summed up by day. */
export async function up(db: Kysely<never>): Promise<void> {
  const statements = [
    `alter table cost_ledger add column is_server_key boolean not null default false`,
    `create table server_key_days (
      provider text not null,
      date varchar(10) not null,
      total_cost numeric(20, 12) not null default 0 check (total_cost >= 0),
      updated_at timestamptz not null default now(),
      primary key (provider, date)
    )`,
  ];
  for (const statement of statements) {
    await sql.raw(statement).execute(db);
  }
}
