import { sql, type Kysely } from 'kysely';

/** What may go by its age, or with its user, is found by indexes. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  // what is old is found by these
  `create index ix_stream_events_created_at on stream_events (created_at)`,
  `create index ix_pipeline_executions_ended_at on pipeline_executions (ended_at)
    where ended_at is not null`,
  `create index ix_model_replies_created_at on model_replies (created_at)`,
  `create index ix_conversations_updated_at on conversations (updated_at)`,
  `create index ix_user_daily_costs_date on user_daily_costs (date)`,
  `create index ix_refresh_tokens_expires_at on refresh_tokens (expires_at)`,

  // what goes along is found by these
  `create index ix_pipeline_executions_conversation_id on pipeline_executions (conversation_id)
    where conversation_id is not null`,
  `create index ix_model_replies_user_id on model_replies (user_id)`,
  `create index ix_discussions_user_id on discussions (user_id)`,
  `create index ix_approval_offers_user_id on approval_offers (user_id)`,
  `create index ix_approvals_decided_by on approvals (decided_by) where decided_by is not null`,
];
