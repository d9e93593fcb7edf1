import { sql, type Kysely } from 'kysely';

/** Accounts that an administrator has shut, and the order in which administrators read the lists. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table users add column disabled_at timestamptz`,
  `create index ix_users_created_at on users (created_at desc, id desc)`,
  `create index ix_pipeline_executions_created_at
    on pipeline_executions (created_at desc, id desc)`,
  `create index ix_pipeline_executions_unended on pipeline_executions (created_at, id)
    where status in ('pending', 'running')`,
];
