import { sql, type Kysely } from 'kysely';

/** Which keys have sealed: workflow histories name theirs, but are not kept here. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql
    .raw(
      `create table encryption_keys (
        id text primary key,
        first_used_at timestamptz not null default now()
      )`,
    )
    .execute(db);
}
