import { sql, type Kysely } from 'kysely';

/** The contract's eight tables (data-model §2) and ours: streams, ledger, replies, discussions. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `create table users (
    id uuid primary key,
    email varchar(255) not null,
    hashed_password varchar(255) not null,
    display_name varchar(100) not null,
    role text not null default 'free' check (role in ('free', 'pro', 'admin')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`,
  `create unique index uq_users_email on users (lower(email))`,

  `create table refresh_tokens (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    family_id uuid not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now()
  )`,
  `create index ix_refresh_tokens_user_id on refresh_tokens (user_id)`,
  `create index ix_refresh_tokens_family_id on refresh_tokens (family_id)`,

  `create table conversations (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    title varchar(255) not null,
    status text not null default 'active' check (status in ('active', 'archived')),
    counted_on varchar(10),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`,
  `create index ix_conversations_user_id on conversations (user_id, updated_at desc)`,
  `create index ix_conversations_counted_on on conversations (user_id, counted_on)
    where counted_on is not null`,

  `create table messages (
    id uuid primary key,
    conversation_id uuid not null references conversations on delete cascade,
    position bigint generated always as identity,
    role text not null check (role in ('user', 'assistant', 'system')),
    content text not null,
    metadata_ json,
    created_at timestamptz not null default now()
  )`,
  `create index ix_messages_conversation_id on messages (conversation_id, created_at, position)`,

  `create table api_keys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name varchar(100) not null,
    key_hash varchar(64) not null unique,
    key_prefix varchar(11) not null,
    is_active boolean not null default true,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
  )`,
  `create index ix_api_keys_user_id on api_keys (user_id)`,

  `create table user_daily_costs (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    date varchar(10) not null,
    total_cost numeric(20, 12) not null default 0 check (total_cost >= 0),
    updated_at timestamptz not null default now(),
    constraint uq_user_daily_cost unique (user_id, date)
  )`,

  `create table pipeline_templates (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name varchar(255) not null,
    description text,
    graph_data json not null,
    design_data json not null,
    is_public boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`,
  `create index ix_pipeline_templates_user_id on pipeline_templates (user_id)`,
  `create index ix_pipeline_templates_public on pipeline_templates (updated_at desc)
    where is_public`,

  `create table pipeline_executions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    conversation_id uuid references conversations on delete cascade,
    design_name varchar(255) not null,
    design json not null,
    language text not null default 'en',
    simulated boolean not null default false,
    status text not null default 'pending' check (status in
      ('pending', 'running', 'completed', 'partial', 'failed', 'timeout', 'cancelled')),
    holds_slot boolean not null,
    counted_on varchar(10),
    agent_count integer not null default 0,
    duration_seconds double precision,
    error_message text,
    result json,
    total_cost numeric(20, 12) not null default 0,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz,
    constraint slot_ends_with_run check (holds_slot = false or status in ('pending', 'running'))
  )`,
  `create unique index uq_one_run_per_user on pipeline_executions (user_id) where holds_slot`,
  `create index ix_pipeline_executions_user_id on pipeline_executions (user_id, created_at desc)`,
  `create index ix_pipeline_executions_counted_on on pipeline_executions (user_id, counted_on)
    where counted_on is not null`,
  `create index ix_pipeline_executions_open on pipeline_executions (created_at)
    where status in ('pending', 'running')`,

  `create table agent_steps (
    id text primary key,
    pipeline_id uuid not null references pipeline_executions on delete cascade,
    node text not null,
    agent_name text not null,
    role text not null,
    status text not null check (status in ('success', 'failed')),
    content text not null,
    error text,
    tokens_used integer not null,
    cost numeric(20, 12) not null default 0,
    duration_seconds double precision not null,
    provider text,
    model text,
    seq integer,
    ended_at timestamptz not null default now()
  )`,
  `create index ix_agent_steps_pipeline_id on agent_steps (pipeline_id, seq)`,

  `create table cost_ledger (
    id uuid primary key,
    step_id text not null,
    run_id text not null,
    attempt integer not null,
    call_number integer not null,
    user_id uuid not null references users on delete cascade,
    pipeline_id uuid,
    conversation_id uuid,
    date varchar(10) not null,
    provider text not null,
    model text not null,
    state text not null check (state in ('reserved', 'settled', 'released', 'unknown')),
    cost numeric(20, 12) not null check (cost >= 0),
    reserved numeric(20, 12) not null,
    input_usd_per_million numeric(20, 6) not null,
    output_usd_per_million numeric(20, 6) not null,
    prompt_tokens integer,
    completion_tokens integer,
    max_tokens integer not null,
    request_id text,
    error_code text,
    pass_failed boolean not null default false,
    created_at timestamptz not null default now(),
    closed_at timestamptz,
    constraint uq_cost_ledger_call unique (step_id, run_id, attempt, call_number)
  )`,
  `create index ix_cost_ledger_user_day on cost_ledger (user_id, date)`,
  `create index ix_cost_ledger_pipeline_id on cost_ledger (pipeline_id)
    where pipeline_id is not null`,
  `create index ix_cost_ledger_reserved on cost_ledger (created_at) where state = 'reserved'`,

  `create table model_replies (
    step_id text primary key,
    user_id uuid not null references users on delete cascade,
    content text not null,
    provider text not null,
    model text not null,
    finish text not null,
    request_id text,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    cost numeric(20, 12) not null,
    fallback_from text,
    calls integer not null,
    created_at timestamptz not null default now()
  )`,

  `create table user_llm_keys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    provider text not null check (provider in ('openai', 'anthropic', 'google')),
    encrypted_key bytea not null,
    nonce bytea not null,
    sealed_by text not null,
    key_prefix varchar(12) not null,
    is_active boolean not null default true,
    is_valid boolean not null default true,
    last_used_at timestamptz,
    last_validated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint uq_user_llm_keys_user_provider unique (user_id, provider)
  )`,

  `create table streams (
    id uuid primary key,
    last_seq integer not null default 0
  )`,
  `create table stream_events (
    stream_id uuid not null references streams on delete cascade,
    seq integer not null,
    step_key text not null,
    event json not null,
    conversation_id uuid references conversations on delete cascade,
    created_at timestamptz not null default now(),
    primary key (stream_id, seq),
    constraint uq_stream_events_step unique (stream_id, step_key)
  )`,

  `create table discussions (
    conversation_id uuid primary key references conversations on delete cascade,
    user_id uuid not null references users on delete cascade,
    version integer not null,
    talk json not null,
    updated_at timestamptz not null default now()
  )`,
];
