import { sql, type Kysely } from 'kysely';

/** What a call was settled at: tokens by kind, each with its rate, and how the vendor served it. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`alter table cost_ledger add column bill jsonb, add column service_tier text`.execute(
    db,
  );
}
