import { sql, type Kysely } from 'kysely';

/** OpenAI-compatible servers that users have registered, or administrators for all. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table model_endpoints (
      id uuid primary key,
      user_id uuid references users on delete cascade,
      name varchar(40) not null,
      base_url varchar(500) not null,
      encrypted_key bytea,
      nonce bytea,
      sealed_by text,
      models jsonb not null,
      quirks jsonb not null,
      is_valid boolean not null default false,
      problem text,
      checked_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint sealed_whole check (num_nulls(encrypted_key, nonce, sealed_by) in (0, 3))
    )`.execute(db);
  await sql`
    create unique index uq_model_endpoints_name on model_endpoints (user_id, name)
    nulls not distinct`.execute(db);
}
