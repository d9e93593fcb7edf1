import { sql, type Kysely } from 'kysely';

/** What is done by commands on the server is logged, too; there is no signed-in user. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql.raw('alter table admin_actions alter column actor_id drop not null').execute(db);
}
