import { sql, type Kysely } from 'kysely';

/** By node: which providers an agent waits for, or has waited for last; null: none. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table pipeline_executions add column agent_waits jsonb`.execute(db);
}
