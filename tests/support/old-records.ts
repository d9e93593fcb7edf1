/** Rows of any age, as the product would have left them. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { createLedger } from '../../db/billing/costs.js';
import { appendEvents } from '../../db/events.js';
import { openRun, closeRun } from '../../db/runs/runs.js';
import { stepIdOf } from '../../domain/ids.js';
import { admittedRun, createTestConversation } from './runs.js';
import { addStep } from './steps.js';

export const NOW = new Date('2026-11-24T12:00:00Z');
const DAY_MS = 86_400_000;

export function daysAgo(days: number): Date {
  return new Date(NOW.getTime() - days * DAY_MS);
}

/** A conversation with one message and one event. @returns its id */
export async function stateOf(
  db: Db,
  { userId, days }: { userId: string; days: number },
): Promise<string> {
  const id = await createTestConversation(db, userId);
  await db
    .insertInto('messages')
    .values({ id: randomUUID(), conversationId: id, role: 'user', content: 'hello' })
    .execute();
  await eventsOf(db, { streamId: id, conversationId: id, days: [days] });
  await db
    .updateTable('conversations')
    .set({ updatedAt: daysAgo(days) })
    .where('id', '=', id)
    .execute();
  return id;
}

interface OldRun {
  readonly userId: string;
  /** When it began and, unless it is open, ended. */
  readonly days: number;
  readonly conversationId?: string;
  readonly isOpen?: boolean;
  readonly rerunOf?: string;
}

/** A run with a paid reply, a step and its events. @returns its id */
export async function runOf(db: Db, run: OldRun): Promise<string> {
  const { userId, days, conversationId = null, isOpen = false, rerunOf } = run;
  const then = daysAgo(days);
  const rerun =
    rerunOf === undefined ? {} : { rerun: { of: rerunOf, simulated: false, reusedNodes: [] } };
  const pipelineId = await admittedRun(db, { userId, conversationId, ...rerun }, then);
  await callOf(db, { userId, pipelineId, days });
  await addStep(db, pipelineId, { node: 'one', seq: 1 });
  await db.transaction().execute((tx) => openRun(tx, pipelineId, { now: then }));
  await eventsOf(db, { streamId: conversationId ?? pipelineId, conversationId, days: [days] });
  await (isOpen
    ? db
        .updateTable('pipelineExecutions')
        .set({ holdsSlot: false })
        .where('id', '=', pipelineId)
        .execute()
    : db
        .transaction()
        .execute((tx) => closeRun(tx, { pipelineId, outcome: { kind: 'ended' }, now: then })));
  await ageEvents(db, conversationId ?? pipelineId, days);
  return pipelineId;
}

/** A settled call with its reply. */
export async function callOf(
  db: Db,
  { userId, pipelineId, days }: { userId: string; pipelineId: string | null; days: number },
): Promise<void> {
  const ledger = createLedger(db, () => daysAgo(days));
  const stepId = stepIdOf(pipelineId ?? randomUUID(), 'one');
  const billing = { userId, stepId, runId: 'r', attempt: 1, pipelineId, conversationId: null };
  const reserved = await ledger.reserve(billing, {
    ...{ provider: 'openai', model: 'gpt-4o', promptTokens: 1_000, maxTokens: 1_000 },
    ...{ minTokens: 256, inputUsdPerMillion: '1', outputUsdPerMillion: '1', callNumber: 1 },
    prompt: { model: 'gpt-4o', temperature: 0, answer: null, messages: [] },
  });
  if ('kind' in reserved) {
    throw new Error(reserved.kind);
  }
  await ledger.settle(billing, {
    callId: reserved.callId,
    reply: {
      ...{ content: 'reply', provider: 'openai', model: 'gpt-4o', finish: 'stop' },
      usage: { promptTokens: 500, completionTokens: 100 },
      requestId: 'asked-by-somebody',
    },
    bill: [{ kind: 'input', tokens: 600, usdPerMillion: '1' }],
    fallbackFrom: null,
    calls: 1,
  });
}

/** One event per age, in the order given. */
export async function eventsOf(
  db: Db,
  stream: { streamId: string; conversationId: string | null; days: readonly number[] },
): Promise<void> {
  const { streamId, conversationId, days } = stream;
  for (const age of days) {
    const event = { type: 'security_warning', content: 'careful', safe: false } as const;
    const steps = [{ stepKey: randomUUID(), event }];
    const [stored] = await db
      .transaction()
      .execute((tx) => appendEvents(tx, { streamId, conversationId, steps }));
    await db
      .updateTable('streamEvents')
      .set({ createdAt: daysAgo(age) })
      .where('streamId', '=', streamId)
      .where('seq', '=', stored?.seq ?? 0)
      .execute();
  }
}

async function ageEvents(db: Db, streamId: string, days: number): Promise<void> {
  await db
    .updateTable('streamEvents')
    .set({ createdAt: daysAgo(days) })
    .where('streamId', '=', streamId)
    .execute();
}

/** Days that are not the sum of their calls, of whomever; and calls without a day. */
export async function wrongDays(db: Db): Promise<readonly unknown[]> {
  const { rows } = await sql`
    with days as (
      select user_id::text || ' ' || date as day, total_cost from user_daily_costs
      union all select id::text || ' ' || date, total_cost from anonymous_days
    ), calls as (
      select coalesce(user_id, anonymous_day)::text || ' ' || date as day, sum(cost) as cost
      from cost_ledger group by 1
    )
    select * from days full join calls using (day)
    where total_cost is null or total_cost <> coalesce(cost, 0)`.execute(db);
  return rows;
}
