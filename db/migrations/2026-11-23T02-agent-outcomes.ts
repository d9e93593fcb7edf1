import { sql, type Kysely } from 'kysely';

/** What a repeated attempt of an agent needs, and whether a run has used the collector. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table agent_steps
    add column error_code text,
    add column fields json not null default '{}'`.execute(db);
  await sql`alter table pipeline_executions
    add column collector_called boolean not null default false`.execute(db);
}
