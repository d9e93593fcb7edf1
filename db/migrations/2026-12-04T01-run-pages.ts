import { sql, type Kysely } from 'kysely';

/**
 * Which template a run was started from; null: none, or it was started before. The id stays when the template
 * is deleted. A user's runs are listed page by page, so their index is as exact as the order.
 */
const STATEMENTS = [
  `alter table pipeline_executions add column template_id uuid`,
  `create index ix_pipeline_executions_user_page
    on pipeline_executions (user_id, created_at desc, id desc)`,
  `drop index ix_pipeline_executions_user_id`,
];

export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}
