import { sql, type Kysely } from 'kysely';

/** Runs that a process without their metric has ended: a worker counts each of them once. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table pipeline_executions
    add column end_unreported boolean not null default false`,
  `create index ix_pipeline_executions_end_unreported on pipeline_executions (id)
    where end_unreported`,
];
