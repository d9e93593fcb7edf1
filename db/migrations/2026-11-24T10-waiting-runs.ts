import { sql, type Kysely } from 'kysely';

/** Runs that wait for a person, a budget, a pause or their slot; runs that reuse another's replies. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}

const STATEMENTS = [
  `alter table users
    add column daily_budget_usd numeric(12, 6) check (daily_budget_usd >= 0)`,
  `alter table pipeline_executions
    add column waiting_for text check (waiting_for in ('approval', 'budget', 'pause', 'slot')),
    add column waiting_since timestamptz,
    add column on_budget text not null default 'stop' check (on_budget in ('stop', 'pause')),
    add column rerun_of uuid references pipeline_executions on delete set null,
    add column reused_nodes jsonb not null default '[]'`,
  `create index ix_pipeline_executions_waiting on pipeline_executions (user_id, waiting_since)
    where waiting_for is not null`,
  `create index ix_pipeline_executions_rerun_of on pipeline_executions (rerun_of)
    where rerun_of is not null`,
  `alter table agent_steps add column reused_from uuid`,
  `create table approvals (
    pipeline_id uuid not null references pipeline_executions on delete cascade,
    node text not null,
    agent_name text not null,
    input text not null,
    edited_input text,
    state text not null default 'wanted'
      check (state in ('wanted', 'approved', 'rejected', 'withdrawn')),
    on_timeout text not null check (on_timeout in ('approve', 'reject')),
    comment text,
    requested_at timestamptz not null,
    deadline timestamptz not null,
    decided_at timestamptz,
    decided_by uuid references users on delete set null,
    offer_id uuid,
    primary key (pipeline_id, node)
  )`,
  `create table approval_offers (
    id uuid primary key,
    pipeline_id uuid not null,
    node text not null,
    user_id uuid not null references users on delete cascade,
    decision text not null check (decision in ('approve', 'reject')),
    input text,
    comment text,
    created_at timestamptz not null default now(),
    foreign key (pipeline_id, node) references approvals on delete cascade
  )`,
  `create index ix_approval_offers_approval on approval_offers (pipeline_id, node)`,
];
