/** What the end of a run writes, by one statement in the transaction of `closeRun`. */
import { createHash } from 'node:crypto';
import { sql, type Selectable } from 'kysely';
import type { ErrorCode } from '../../domain/errors.js';
import type { PipelineEvent, StoredEvent } from '../../domain/events.js';
import type { ConversationId, PipelineId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { resultContent, type RunOutcome } from '../../domain/run/result-rules.js';
import type { PipelineResult } from '../../domain/run/results.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import { withdrawApprovals } from './approvals.js';
import type { Tx } from '../connect.js';
import { appending, findEvents, storedEventsOf, type EventRow, type EventStep } from '../events.js';
import { addingMessages, AFTER_MESSAGES, type NewMessage } from '../discussions/messages.js';
import type { PipelineExecutionsTable } from '../schema.js';
import { passingLockOn } from './active-run-lock.js';

type EndingRun = Pick<
  Selectable<PipelineExecutionsTable>,
  'id' | 'userId' | 'conversationId' | 'holdsSlot'
>;

export interface RunEnding {
  readonly result: PipelineResult;
  readonly outcome: RunOutcome;
  readonly language: Language;
  readonly now: Date;
}

/** Error codes of calls whose vendor was away. Such a call may still be charged. */
const NO_ANSWER: readonly ErrorCode[] = [
  'model-unavailable',
  'model-rate-limited',
  'model-timeout',
];

/**
 * A run that got no answer of a vendor and called no collector gives its count back: it made no call,
 * or all vendors were away. What is paid for is counted, also calls that a cancelled or lost run has
 * left open. Source: contract, decision 5.
 */
const COUNTED_ON = sql<string | null>`case
  when collector_called or exists (
    select from cost_ledger as call
    where call.pipeline_id = pipeline_executions.id and not (
      call.state in ('released', 'unknown')
      and coalesce(call.error_code, '') = any(${NO_ANSWER}::text[])))
  then counted_on end`;

/** Exactly what `total_cost` of the result rounds to 6 decimals. */
const TOTAL_COST = sql<string>`(
  select coalesce(sum(step.cost), 0) from agent_steps as step
  where step.pipeline_id = pipeline_executions.id and step.seq is not null)`;

/**
 * Writes how a run ended, hands its slot on, and stores its last events and, for a conversation, the
 * message that shows its result. Its owner and the run are locked.
 *
 * @returns its events as stored, and the run that has the lock now, to be signalled
 */
export async function storeRunEnd(
  tx: Tx,
  run: EndingRun,
  ending: RunEnding,
): Promise<{ readonly events: readonly StoredEvent[]; readonly grantedTo: PipelineId | null }> {
  const { id, userId, conversationId, holdsSlot } = run;
  const { event, steps } = lastWordsOf(run, ending);
  const entry = { streamId: conversationId ?? id, conversationId, steps };
  const granting = passingLockOn(tx, userId)
    .where(sql<boolean>`exists (select from ended)`) // which has given it back first
    .where(sql<boolean>`${holdsSlot}::boolean`);
  const telling =
    conversationId === null
      ? appending(entry, AFTER_RUNS)
      : sql`${addingMessages(conversationId, [messageOf(event, conversationId)], AFTER_RUNS)},
          ${appending(entry, AFTER_MESSAGES)}`;
  const { rows } = await sql<EventRow & { readonly grantedTo: PipelineId | null }>`
    with withdrawn as (${withdrawApprovals(tx, id, ending.now).returning('node')}),
    ended as (${endingOf(tx, run, ending)}),
    granted as (${granting}),
    ${telling}
    select said.*, granted.id as granted_to
    from (select * from known union all select * from added) as said
    left join granted on true`.execute(tx);
  return { events: storedEventsOf(rows, steps), grantedTo: rows[0]?.grantedTo ?? null };
}

/** Always true, once the approvals are withdrawn and the slot is handed on. */
const AFTER_RUNS = sql<boolean>`
  (select count(*) from withdrawn) + (select count(*) from granted) >= 0`;

function endingOf(tx: Tx, { id }: EndingRun, { result, now }: RunEnding) {
  return tx
    .updateTable('pipelineExecutions')
    .set({
      status: result.status,
      durationSeconds: result.total_duration,
      errorMessage: result.error === null ? null : toStorableText(result.error),
      result: JSON.stringify(result),
      totalCost: TOTAL_COST,
      holdsSlot: false,
      waitingFor: null,
      waitingSince: null,
      countedOn: COUNTED_ON,
      endedAt: now,
    })
    .where('id', '=', id)
    .returning('id');
}

const FAILED = 'pipeline_failed';
const RESULT = 'pipeline_result';

/** What `storeRunEnd` has stored, for a run that is closed again. */
export async function findLastEvents(
  tx: Tx,
  { id, conversationId }: Pick<EndingRun, 'id' | 'conversationId'>,
): Promise<readonly StoredEvent[]> {
  const stepKeys = [stepKeyOf(id, FAILED), stepKeyOf(id, RESULT)];
  return findEvents(tx, conversationId ?? id, stepKeys);
}

/** Begins unlike the keys of the run's agents, for every agent name. */
function stepKeyOf(pipelineId: PipelineId, end: typeof FAILED | typeof RESULT): string {
  return `end:${pipelineId}:${end}`;
}

function lastWordsOf({ id }: EndingRun, { result, outcome, language }: RunEnding) {
  const content = resultContent(result, outcome, language);
  const event = { type: RESULT, content, result, pipeline_id: id } as const;
  const steps: readonly EventStep[] = [
    ...failureOf(id, outcome).map((failure) => ({
      stepKey: stepKeyOf(id, FAILED),
      event: failure,
    })),
    { stepKey: stepKeyOf(id, RESULT), event },
  ];
  return { event, steps };
}

type ResultEvent = ReturnType<typeof lastWordsOf>['event'];

function messageOf(event: ResultEvent, conversationId: ConversationId): NewMessage {
  const { content, result, pipeline_id } = event;
  const { status, total_cost } = result;
  const metadata = { ...event, status, total_cost };
  const id = resultMessageId(pipeline_id);
  return { id, conversationId, role: 'assistant', content, metadata };
}

function failureOf(pipelineId: PipelineId, { kind }: RunOutcome): readonly PipelineEvent[] {
  switch (kind) {
    case 'timeout':
      return [{ type: FAILED, reason: 'timeout', pipeline_id: pipelineId }];
    case 'internal':
      return [{ type: FAILED, reason: 'internal_error', pipeline_id: pipelineId }];
    case 'ended':
    case 'cancelled':
    case 'unbuildable':
      return [];
  }
}

/** The same for every attempt to close the run: a UUID of version 8, made from the pipeline's. */
function resultMessageId(pipelineId: PipelineId): string {
  const hex = createHash('sha256').update(`${RESULT}:${pipelineId}`).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}
