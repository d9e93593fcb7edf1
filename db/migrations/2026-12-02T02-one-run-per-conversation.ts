import { sql, type Kysely } from 'kysely';

/**
 * At most one unended run per conversation. Where there are several already, the latest counts and
 * the others end as they may.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table pipeline_executions
    add column holds_conversation boolean not null default false`,
  `update pipeline_executions set holds_conversation = true
    where id in (
      select distinct on (conversation_id) id from pipeline_executions
      where conversation_id is not null and status in ('pending', 'running')
      order by conversation_id, created_at desc, id desc
    )`,
  `create unique index uq_one_run_per_conversation on pipeline_executions (conversation_id)
    where holds_conversation and status in ('pending', 'running')`,
];
