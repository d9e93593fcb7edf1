/** Which providers the agents of a run wait for. */
import { sql } from 'kysely';
import type { AgentWait } from '../../domain/run/agent-waits.js';
import type { StoredEvent } from '../../domain/events.js';
import { toStreamId, type ConversationId, type PipelineId } from '../../domain/ids.js';
import type { Db } from '../connect.js';
import { appending, storedEventsOf, type EventRow, type EventStep } from '../events.js';

export interface AgentWaitNote {
  readonly pipelineId: PipelineId;
  readonly conversationId: ConversationId | null;
  readonly wait: AgentWait;
  /** Names the event that says so; null: it has none. */
  readonly stepKey: string | null;
}

/**
 * Notes the wait in the run's row in place of the agent's earlier one; of a run that has ended, nothing.
 * To be run by `retryTransaction`.
 *
 * @returns its event as stored
 */
export async function storeAgentWait(db: Db, note: AgentWaitNote): Promise<readonly StoredEvent[]> {
  const { pipelineId, conversationId, wait, stepKey } = note;
  const event = { type: 'agent_waiting', pipeline_id: pipelineId, ...wait } as const;
  const steps: EventStep[] = stepKey === null ? [] : [{ stepKey, event }];
  const entry = { streamId: toStreamId(note), conversationId, steps };
  const { rows } = await sql<EventRow>`
    with noted as (
      update pipeline_executions
      set agent_waits = coalesce(agent_waits, '{}') || jsonb_build_object(${wait.node}::text, ${JSON.stringify(wait)}::jsonb)
      where id = ${pipelineId}::uuid and status = 'running'
      returning id
    ),
    ${appending(entry, sql`exists (select from noted)`)}
    select * from known union all select * from added`.execute(db);
  return storedEventsOf(rows, steps);
}
