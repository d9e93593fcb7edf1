/** How an agent ends: its step and its event, stored by one statement. */
import { sql } from 'kysely';
import type { StoredEvent } from '../domain/events.js';
import type { StepId } from '../domain/ids.js';
import { findStepOrThrow, type AgentStep, type NewAgentStep } from './agent-steps.js';
import type { Db, Tx } from './connect.js';
import { appending, storedEventOf, type EventEntry, type EventStep } from './events.js';

/** How an agent ended, before its event has given it a place. */
export type AgentEnd = Omit<NewAgentStep, 'seq' | 'cost' | 'fields'> & {
  readonly cost: StepCost;
  /** What conditions of edges may look at; at least one where what was spent is to be added. */
  readonly fields: Readonly<Record<string, number>>;
};

/** An exact decimal, or what the calls of some steps have cost together. */
export type StepCost = string | { readonly of: readonly StepId[] };

export interface Announcement extends Omit<EventEntry, 'steps'> {
  readonly step: EventStep;
}

/**
 * Stores an agent's end and announces it; after the end of its run it is kept without an event. The
 * run's row is share-locked, so that the run cannot end in between. To be run by `repeatVictim`.
 *
 * @returns the step as stored, by an earlier attempt where there was one: then without events
 */
export async function storeEnd(
  db: Db | Tx,
  { cost, fields, ...end }: AgentEnd,
  { step, ...stream }: Announcement,
): Promise<{ readonly step: AgentStep; readonly events: readonly StoredEvent[] }> {
  const insertion = db
    .insertInto('agentSteps')
    .values({
      ...end,
      seq: sql<number | null>`(select seq from said)`,
      cost: sql<string>`(select usd from spent)`,
      fields: fieldsWith(cost, fields),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll();
  const { rows } = await sql<AgentStep & { readonly saidAt: Date | null }>`
      with run as (
        select status from pipeline_executions where id = ${end.pipelineId}::uuid for share
      ),
      ${appending(
        { ...stream, steps: [step] },
        sql`exists (select from run where status in ('pending', 'running'))`,
      )},
      said as (
        select seq, created_at from known union all select seq, created_at from added
      ),
      spent as (select trim_scale(${usdOf(cost)}) as usd),
      ended as (${insertion})
      select ended.*, said.created_at as said_at from ended left join said on true`.execute(db);
  const [row] = rows;
  if (row === undefined) {
    return { step: await findStepOrThrow(db, end.id), events: [] };
  }
  const { saidAt, ...ended } = row;
  const { conversationId } = stream;
  const event = { event: step.event, conversationId };
  return {
    step: ended,
    events:
      ended.seq === null || saidAt === null
        ? []
        : [storedEventOf({ ...event, seq: ended.seq, createdAt: saidAt })],
  };
}

/**
 * Over all attempts: also those that failed but may be billed, so that what was spent is shown even
 * if in vain. Calls that were lost with their worker are charged and listed apart, but no part of
 * this: a kill changes neither a result nor a condition that looks at it.
 */
function usdOf(cost: StepCost) {
  return typeof cost === 'string'
    ? sql<string>`${cost}::numeric`
    : sql<string>`(
        select coalesce(sum(cost), 0) from cost_ledger
        where step_id = any(${cost.of}::text[]) and (state in ('settled', 'estimated') or error_code is not null)
      )`;
}

/** As text: names of fields are a model's, and `jsonb` refuses some that JSON has. */
function fieldsWith(cost: StepCost, fields: AgentEnd['fields']) {
  const text = JSON.stringify(fields);
  return typeof cost === 'string'
    ? text
    : sql<string>`(left(${text}, -1) || ',"cost_estimate":'
        || (select usd from spent)::text || '}')::json`; // of two, the last counts
}
