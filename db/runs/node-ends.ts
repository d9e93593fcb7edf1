/** How a node ends: its row and its event, stored by one statement. */
import { sql, type RawBuilder } from 'kysely';
import type { StoredEvent, StreamEvent } from '../../domain/events.js';
import { toStreamId, type ConversationId, type StepId } from '../../domain/ids.js';
import { findStepOrThrow, type AgentStep } from './agent-steps.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import { appendingParts, storedEventOf, toAppendValues, type AppendValues } from '../events.js';
import { createStatement } from '../statements.js';

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
 * share-locked, so that the run cannot end in between. To be run by `retryTransaction`.
 *
 * @returns the row as stored, by an earlier attempt where there was one: then without events
 */
export async function storeEnd(
  db: Db | Tx,
  end: NodeEnd,
  conversationId: ConversationId | null,
): Promise<{ readonly step: AgentStep; readonly events: readonly StoredEvent[] }> {
  const { fields, unreadSources, ...row } = end;
  const { pipelineId, node } = row;
  const event = completedEvent(end);
  const rows = await storeEndStatement(db, {
    ...row,
    fields: JSON.stringify(fields),
    unreadSources: unreadSources === null ? null : JSON.stringify(unreadSources),
    ...toAppendValues({
      streamId: toStreamId({ pipelineId, conversationId }),
      conversationId,
      // a conversation's stream holds all its runs
      steps: [{ stepKey: `agent:${pipelineId}:${node}`, event }],
    }),
  });
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

/** JSON is text. */
type EndValues = AppendValues &
  Omit<NodeEnd, 'fields' | 'unreadSources'> & {
    readonly fields: string;
    readonly unreadSources: string | null;
  };

type Columns = Readonly<Record<Exclude<keyof AgentStep, 'endedAt'>, RawBuilder<unknown>>>;

interface StoredRow extends AgentStep {
  readonly announcedAt: Date | null;
}

/**
 * What was spent counts over all attempts: also those that failed but may be billed, so that it is shown
 * even if in vain. Calls that were lost with their worker are charged and listed apart, but no part of
 * this: a kill changes neither a result nor a condition that looks at it.
 *
 * `fields` are text: their names are a model's, and `jsonb` refuses some that JSON has.
 */
const storeEndStatement = createStatement<EndValues, StoredRow>((value) => {
  const columns: Columns = {
    id: value('id'),
    pipelineId: value('pipelineId'),
    node: value('node'),
    agentName: value('agentName'),
    role: value('role'),
    status: value('status'),
    content: value('content'),
    error: value('error'),
    errorCode: value('errorCode'),
    tokensUsed: value('tokensUsed'),
    durationSeconds: value('durationSeconds'),
    provider: value('provider'),
    model: value('model'),
    attempts: value('attempts'),
    fallbackFrom: value('fallbackFrom'),
    truncated: value('truncated'),
    unreadSources: value('unreadSources'),
    reusedFrom: value('reusedFrom'),
    seq: sql`(select seq from announced)`,
    cost: sql`(select usd from spent)`,
    fields: sql`(case when cardinality(${value('paidSteps')}::text[]) = 0 then ${value('fields')}::text
      else left(${value('fields')}::text, -1) || ',"cost_estimate":' || (select usd from spent)::text || '}'
      end)::json`, // of two `cost_estimate`, the last counts
  };
  return sql`
    with run as (
      select status from pipeline_executions where id = ${value('pipelineId')}::uuid for share
    ),
    ${appendingParts(value, sql`exists (select from run where status in ${UNENDED_STATUSES})`)},
    announced as (
      select seq, created_at from known union all select seq, created_at from added
    ),
    spent as (
      select trim_scale(coalesce(sum(cost), 0)) as usd from cost_ledger
      where step_id = any(${value('paidSteps')}::text[])
        and (state in ('settled', 'estimated') or error_code is not null)
    ),
    ended as (
      insert into agent_steps (${sql.join(Object.keys(columns).map((name) => sql.ref(name)))})
      values (${sql.join(Object.values(columns))})
      on conflict (id) do nothing
      returning *
    )
    select ended.*, announced.created_at as announced_at
    from ended left join announced on true`;
});
