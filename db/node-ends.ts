/** How a node ends: its row and its event, stored by one statement. */
import { sql } from 'kysely';
import type { StoredEvent, StreamEvent } from '../domain/events.js';
import { toStreamId, type ConversationId, type StepId } from '../domain/ids.js';
import { findStepOrThrow, type AgentStep } from './agent-steps.js';
import type { Db, Tx } from './connect.js';
import { appending, storedEventOf } from './events.js';

/** The row before it is stored: its event gives it a `seq`, the ledger its cost. */
export interface NodeEnd extends Omit<AgentStep, 'seq' | 'cost' | 'endedAt'> {
  /**
   * The steps whose calls it has cost. None: it has cost nothing and `fields` stay as they are; else
   * `cost_estimate` is added to them.
   */
  readonly paidSteps: readonly StepId[];
}

/**
 * Stores a node's end with its event; after the end of its run it is kept without one. The run's row is
 * share-locked, so that the run cannot end in between. To be run by `repeatVictim`.
 *
 * @returns the row as stored, by an earlier attempt where there was one: then without events
 */
export async function storeEnd(
  db: Db | Tx,
  end: NodeEnd,
  conversationId: ConversationId | null,
): Promise<{ readonly step: AgentStep; readonly events: readonly StoredEvent[] }> {
  const { paidSteps, fields, unreadSources, ...row } = end;
  const { pipelineId, node } = row;
  const event = completedEvent(end);
  const insertion = db
    .insertInto('agentSteps')
    .values({
      ...row,
      seq: sql<number | null>`(select seq from announced)`,
      cost: sql<string>`(select usd from spent)`,
      fields: fieldsWithCost(JSON.stringify(fields), paidSteps),
      unreadSources: unreadSources === null ? null : JSON.stringify(unreadSources),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll();
  const { rows } = await sql<AgentStep & { readonly announcedAt: Date | null }>`
      with run as (
        select status from pipeline_executions where id = ${pipelineId}::uuid for share
      ),
      ${appending(
        {
          streamId: toStreamId({ pipelineId, conversationId }),
          conversationId,
          // a conversation's stream holds all its runs
          steps: [{ stepKey: `agent:${pipelineId}:${node}`, event }],
        },
        sql`exists (select from run where status in ('pending', 'running'))`,
      )},
      announced as (
        select seq, created_at from known union all select seq, created_at from added
      ),
      spent as (select trim_scale(${usdOf(paidSteps)}) as usd),
      ended as (${insertion})
      select ended.*, announced.created_at as announced_at
      from ended left join announced on true`.execute(db);
  const [stored] = rows;
  if (stored === undefined) {
    return { step: await findStepOrThrow(db, end.id), events: [] };
  }
  const { announcedAt, ...step } = stored;
  return {
    step,
    events:
      step.seq === null || announcedAt === null
        ? []
        : [storedEventOf({ event, conversationId, seq: step.seq, createdAt: announcedAt })],
  };
}

function completedEvent(end: NodeEnd): StreamEvent {
  return {
    type: 'agent_completed',
    agent_name: end.agentName,
    status: end.status,
    duration: end.durationSeconds,
    pipeline_id: end.pipelineId,
    node: end.node,
    ...(end.truncated ? { truncated: true as const } : {}),
  };
}

/**
 * Over all attempts: also those that failed but may be billed, so that what was spent is shown even
 * if in vain. Calls that were lost with their worker are charged and listed apart, but no part of
 * this: a kill changes neither a result nor a condition that looks at it.
 */
function usdOf(paidSteps: readonly StepId[]) {
  return sql<string>`(
    select coalesce(sum(cost), 0) from cost_ledger
    where step_id = any(${paidSteps}::text[])
      and (state in ('settled', 'estimated') or error_code is not null)
  )`;
}

/** As text: names of fields are a model's, and `jsonb` refuses some that JSON has. */
function fieldsWithCost(fields: string, paidSteps: readonly StepId[]) {
  return paidSteps.length === 0
    ? fields
    : sql<string>`(left(${fields}, -1) || ',"cost_estimate":'
        || (select usd from spent)::text || '}')::json`; // of two, the last counts
}
