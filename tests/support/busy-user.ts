/** A user who has left something in every table, so that a deletion can be looked at whole. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { saveDiscussion } from '../../db/discussions/discussions.js';
import { appendEvents } from '../../db/events.js';
import { startDiscussionState } from '../../domain/discussion/state.js';
import { addMessage } from './messages.js';
import { admittedRun, createTestConversation } from './runs.js';
import { createTestUser } from './servers.js';
import { addStep } from './steps.js';

/** A user who owns something of everything. */
export interface BusyUser {
  readonly userId: string;
  readonly email: string;
  /** In every text of theirs, so that none is overlooked. */
  readonly mark: string;
  /** All that is theirs: the user, a conversation, its run, and a run without one. */
  readonly ids: readonly string[];
}

const warningOf = (mark: string) =>
  ({ type: 'security_warning', content: mark, safe: false }) as const;

async function stateOf(db: Db, userId: string, mark: string): Promise<string> {
  const conversationId = await createTestConversation(db, userId);
  const bytes = Buffer.from(mark);
  const sealed = { head: randomUUID(), sealedBy: 'no-key', bundle: bytes, nonce: bytes };
  const archive = { ...sealed, id: randomUUID(), conversationId };
  await db.insertInto('archives').values(archive).execute();
  await db.transaction().execute(async (tx) => {
    const message = { id: randomUUID(), conversationId, role: 'user', metadata: null } as const;
    await addMessage(tx, { ...message, content: mark });
    await saveDiscussion(tx, { conversationId, userId, talk: startDiscussionState('en') });
    const steps = [{ stepKey: 'one', event: warningOf(mark) }];
    await appendEvents(tx, { streamId: conversationId, conversationId, steps });
  });
  return conversationId;
}

async function runOf(
  db: Db,
  { userId, conversationId }: { userId: string; conversationId: string | null },
  mark: string,
): Promise<string> {
  const pipelineId = await admittedRun(db, { userId, conversationId }, new Date());
  await db
    .updateTable('pipelineExecutions')
    .set({ holdsSlot: false })
    .where('id', '=', pipelineId)
    .execute();
  await addStep(db, pipelineId, { node: 'one', content: mark, seq: 1 });
  await sql`insert into approvals (pipeline_id, node, agent_name, input, on_timeout, requested_at, deadline)
    values (${pipelineId}, 'one', 'one', ${mark}, 'reject', now(), now())`.execute(db);
  await sql`insert into approval_offers (id, pipeline_id, node, user_id, decision)
    values (gen_random_uuid(), ${pipelineId}, 'one', ${userId}, 'approve')`.execute(db);
  await db
    .insertInto('archives')
    .values({
      ...{ id: pipelineId, pipelineId, head: randomUUID(), sealedBy: 'no-key' },
      ...{ bundle: Buffer.from(mark), nonce: Buffer.alloc(0) },
    })
    .execute();
  if (conversationId === null) {
    const steps = [{ stepKey: 'one', event: warningOf(mark) }];
    await db
      .transaction()
      .execute((tx) => appendEvents(tx, { streamId: pipelineId, conversationId, steps }));
  }
  return pipelineId;
}

/** Of every other kind that a user can own; columns without meaning here are left to PostgreSQL. */
const OWNED = [
  `insert into refresh_tokens (id, user_id, family_id, expires_at)
   values (gen_random_uuid(), $user, gen_random_uuid(), now())`,
  `insert into sign_in_networks (user_id, network_hash) values ($user, '$mark')`,
  `insert into api_keys (id, user_id, name, key_hash, key_prefix)
   values (gen_random_uuid(), $user, '$mark', gen_random_uuid(), 'sk-0')`,
  `insert into user_daily_costs (user_id, date) values ($user, '2026-11-24')`,
  `insert into pipeline_templates (id, user_id, name, graph_data, design_data)
   values (gen_random_uuid(), $user, '$mark', '{}', '{}')`,
  `insert into user_llm_keys
     (id, user_id, provider, encrypted_key, nonce, sealed_by, key_prefix)
   values (gen_random_uuid(), $user, 'openai', '', '', 'x', '')`,
  `insert into model_endpoints (id, user_id, name, base_url, models, quirks)
   values (gen_random_uuid(), $user, left('$mark', 40), 'https://example.com/$mark', '[]', '{}')`,
  `insert into cost_ledger (id, step_id, run_id, attempt, call_number, user_id, date, provider,
     model, state, cost, reserved, input_usd_per_million, output_usd_per_million, max_tokens)
   values (gen_random_uuid(), '$mark', 'r', 1, 1, $user, '2026-11-24', 'openai', 'm', 'settled',
     0, 0, 0, 0, 1)`,
  `insert into server_key_days (provider, date) values ('openai', '2026-11-24')
   on conflict do nothing`,
  `insert into encryption_keys (id) values ('x') on conflict do nothing`,
  `insert into model_replies (step_id, user_id, content, provider, model, finish,
     prompt_tokens, completion_tokens, cost, calls)
   values ('$mark', $user, '$mark', 'openai', 'm', 'stop', 1, 1, 0, 1)`,
  `insert into call_prompts (call_id, user_id, prompt, sha256)
   values (gen_random_uuid(), $user, '{"messages":"$mark"}', '$mark')`,
];

/** A user who has left something in every table; the runs have not ended. */
export async function createBusyUser(db: Db): Promise<BusyUser> {
  const { id: userId, email } = await createTestUser(db);
  const mark = `mark-${randomUUID()}`;
  const conversationId = await stateOf(db, userId, mark);
  const runs = [
    await runOf(db, { userId, conversationId }, mark),
    await runOf(db, { userId, conversationId: null }, mark),
  ];
  for (const statement of OWNED) {
    const values = statement.replaceAll('$user', `'${userId}'`).replaceAll('$mark', mark);
    await sql.raw(values).execute(db);
  }
  return { userId, email, mark, ids: [userId, conversationId, ...runs] };
}

/** Tables of which a dump of the database holds no row; of users are neither `anonymous_days`, `audit_tombstones` nor `admin_actions`. */
export async function unusedTables(db: Db, dump: string): Promise<readonly string[]> {
  const tables = await sql<{ name: string }>`select table_name as name
    from information_schema.tables
    where table_schema = 'public' and table_name not like 'kysely_%'
      and table_name not in ('anonymous_days', 'admin_actions', 'audit_tombstones', 'temporal_home')`.execute(
    db,
  );
  return tables.rows.map(({ name }) => name).filter((name) => !dump.includes(`${name} (`));
}
