import { sql, type Kysely } from 'kysely';

/** The one Temporal namespace whose workflows the rows of this database belong to. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql
    .raw(
      `create table temporal_home (
        is_only boolean primary key default true check (is_only),
        namespace text not null,
        namespace_id text,
        since timestamptz not null default now()
      )`,
    )
    .execute(db);
}
