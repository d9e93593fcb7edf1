import { sql, type Kysely } from 'kysely';

/** How an agent came by its answer; unknown (null) for agents that ended before. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table agent_steps
    add column attempts integer,
    add column fallback_from text`.execute(db);
}
