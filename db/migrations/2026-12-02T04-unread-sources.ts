import { sql, type Kysely } from 'kysely';

/** Addresses that an agent was to read and could not; null: none. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table agent_steps add column unread_sources json`.execute(db);
}
