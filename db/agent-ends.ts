/** How an agent ends: its step and its event, stored by one statement. */
import { sql } from 'kysely';
import type { StoredEvent } from '../domain/events.js';
import { findStepOrThrow, storableStep, type AgentStep, type NewAgentStep } from './agent-steps.js';
import type { Db, Tx } from './connect.js';
import { appending, storedEventOf, type EventEntry, type EventStep } from './events.js';

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
  end: Omit<NewAgentStep, 'seq'>,
  { step, ...stream }: Announcement,
): Promise<{ readonly step: AgentStep; readonly events: readonly StoredEvent[] }> {
  const seq = sql<number | null>`(select seq from said)`;
  const insertion = db
    .insertInto('agentSteps')
    .values({ ...storableStep(end), seq })
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
