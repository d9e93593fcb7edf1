import { sql, type Kysely } from 'kysely';

/** What administrators do to what is not theirs: written once, never changed. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  // no reference to users: the log outlives whom it names
  `create table admin_actions (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor_id uuid not null,
    action text not null,
    subject text not null,
    details jsonb not null default '{}'
  )`,
  `create index ix_admin_actions_at on admin_actions (at desc)`,
  `create index ix_admin_actions_subject on admin_actions (subject)`,
  `create function refuse_change() returns trigger language plpgsql as $$
    begin
      raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
    end $$`,
  `create trigger append_only before update or delete or truncate on admin_actions
    for each statement execute function refuse_change()`,
];
