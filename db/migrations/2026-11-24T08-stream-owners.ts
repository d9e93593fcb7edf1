import { sql, type Kysely } from 'kysely';

/** A stream goes with what it tells of, so that nothing of a deleted user stays behind. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table streams
    add column conversation_id uuid references conversations on delete cascade,
    add column pipeline_id uuid references pipeline_executions on delete cascade`,
  `update streams set conversation_id = id
    where exists (select from conversations where conversations.id = streams.id)`,
  `update streams set pipeline_id = id
    where exists (select from pipeline_executions as run where run.id = streams.id)`,
  `delete from streams where conversation_id is null and pipeline_id is null`,
  // none: stored by a process of the release before, until the stream's next event
  `alter table streams
    add constraint one_owner check (num_nonnulls(conversation_id, pipeline_id) <= 1)`,
  `create index ix_streams_conversation_id on streams (conversation_id)`,
  `create index ix_streams_pipeline_id on streams (pipeline_id)`,
  // the events go with their stream; this would look for them once more, without an index
  `alter table stream_events drop constraint stream_events_conversation_id_fkey`,
];
