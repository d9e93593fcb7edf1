import { sql, type Kysely } from 'kysely';

/** Until when credentials of before do not count, and which API key has made which. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table users add column sessions_valid_after timestamptz`,
  `alter table api_keys add column parent_id uuid references api_keys on delete cascade`,
  `create index ix_api_keys_parent_id on api_keys (parent_id) where parent_id is not null`,
];
