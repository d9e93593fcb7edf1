import { sql, type Kysely } from 'kysely';

/** What providers do not state is `estimated`; an answer that is not complete says so. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table cost_ledger
    drop constraint cost_ledger_state_check,
    add constraint cost_ledger_state_check
      check (state in ('reserved', 'settled', 'estimated', 'released', 'unknown'))`.execute(db);
  await sql`alter table agent_steps
    add column truncated boolean not null default false`.execute(db);
}
