import { sql, type Kysely } from 'kysely';

/** What has ended is archived, whole: runs, and discussions; of deleted users a signed note stays. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  // id: the pipeline's, or that of a discussion's run in Temporal
  `create table archives (
    id uuid primary key,
    pipeline_id uuid unique references pipeline_executions on delete cascade,
    conversation_id uuid references conversations on delete cascade,
    head text not null,
    bundle bytea not null,
    nonce bytea not null,
    sealed_by text not null,
    archived_at timestamptz not null default now(),
    constraint one_subject check (num_nonnulls(pipeline_id, conversation_id) = 1)
  )`,
  // compressed and sealed already: PostgreSQL would try in vain
  `alter table archives alter column bundle set storage external`,
  `create index ix_archives_sealed_by on archives (sealed_by)`,
  `create index ix_archives_conversation_id on archives (conversation_id, archived_at)
    where conversation_id is not null`,
  `alter table pipeline_executions add column archived_at timestamptz`,
  `create index ix_pipeline_executions_unarchived on pipeline_executions (ended_at)
    where ended_at is not null and archived_at is null`,
  `create table audit_tombstones (
    head text primary key,
    document jsonb not null
  )`,
];
