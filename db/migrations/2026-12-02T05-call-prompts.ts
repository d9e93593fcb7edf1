import { sql, type Kysely } from 'kysely';

/** What each call has asked its model; `subject_id` is of its run, else of its conversation. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`create table call_prompts (
    call_id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    subject_id uuid,
    prompt json not null,
    sha256 text not null,
    created_at timestamptz not null default now()
  )`.execute(db);
  await sql`create index ix_call_prompts_user_id on call_prompts (user_id)`.execute(db);
  await sql`create index ix_call_prompts_subject_id on call_prompts (subject_id)`.execute(db);
  await sql`create index ix_call_prompts_created_at on call_prompts (created_at)`.execute(db);
  // what vendors have not stated, which is little, is summed up by day
  await sql`create index ix_cost_ledger_not_stated on cost_ledger (date)
    where state in ('estimated', 'unknown')`.execute(db);
}
