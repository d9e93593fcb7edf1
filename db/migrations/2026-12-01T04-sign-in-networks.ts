import { sql, type Kysely } from 'kysely';

/** Where users have signed in from: wrong guesses from elsewhere do not keep them out there. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `create table sign_in_networks (
    user_id uuid not null references users on delete cascade,
    network_hash text not null,
    last_used_at timestamptz not null default now(),
    primary key (user_id, network_hash)
  )`,
];
