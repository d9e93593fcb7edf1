import { sql, type Kysely } from 'kysely';

/** Accounts that an administrator has yet to approve; those that are there already are approved. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table users add column awaiting_approval_since timestamptz`,
  `create index ix_users_awaiting_approval on users (awaiting_approval_since)
    where awaiting_approval_since is not null`,
];
