import { sql, type Kysely } from 'kysely';

/** Which providers there are is a list of the code alone (`VENDORS`): a new one needs no migration. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table user_llm_keys drop constraint user_llm_keys_provider_check`.execute(db);
}
