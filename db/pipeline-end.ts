/** What the end of a run writes, in the transaction of `closeRun`. */
import { createHash } from 'node:crypto';
import { sql, type Selectable } from 'kysely';
import type { PipelineEvent, StoredEvent } from '../domain/events.js';
import type { PipelineId } from '../domain/ids.js';
import type { Language } from '../domain/languages.js';
import { resultContent, type RunOutcome } from '../domain/result-rules.js';
import type { PipelineResult } from '../domain/results.js';
import { withdrawApprovals } from './approvals.js';
import type { Tx } from './connect.js';
import { appendEvents, findEvents, type EventStep } from './events.js';
import { addMessage } from './messages.js';
import type { PipelineExecutionsTable } from './schema.js';

type EndingRun = Pick<Selectable<PipelineExecutionsTable>, 'id' | 'conversationId'>;

export interface RunEnding {
  readonly result: PipelineResult;
  readonly outcome: RunOutcome;
  readonly language: Language;
}

/**
 * A run that called neither vendor nor collector gives its count back. Every row of the ledger is a
 * call, also where it was released because the vendor bills nothing. Source: contract, decision 5.
 */
const COUNTED_ON = sql<string | null>`case
  when collector_called or exists (
    select from cost_ledger as call
    where call.pipeline_id = pipeline_executions.id)
  then counted_on end`;

/** Exactly what `total_cost` of the result rounds to 6 decimals. */
const TOTAL_COST = sql<string>`(
  select coalesce(sum(step.cost), 0) from agent_steps as step
  where step.pipeline_id = pipeline_executions.id and step.seq is not null)`;

/** Writes how a run ended and frees its user's slot. */
export async function recordEnd(
  tx: Tx,
  run: EndingRun,
  { result, now }: { result: PipelineResult; now: Date },
): Promise<void> {
  await tx
    .with('withdrawn', () => withdrawApprovals(tx, run.id, now))
    .updateTable('pipelineExecutions')
    .set({
      status: result.status,
      durationSeconds: result.total_duration,
      errorMessage: result.error?.replaceAll('\0', '') ?? null, // text holds no NUL
      result: JSON.stringify(result),
      totalCost: TOTAL_COST,
      holdsSlot: false,
      waitingFor: null,
      waitingSince: null,
      countedOn: COUNTED_ON,
      endedAt: now,
    })
    .where('id', '=', run.id)
    .execute();
}

const FAILED = 'pipeline_failed';
const RESULT = 'pipeline_result';

/** What `announceEnd` has stored, for a run that is closed again. */
export async function findLastEvents(
  tx: Tx,
  { id, conversationId }: EndingRun,
): Promise<readonly StoredEvent[]> {
  const stepKeys = [stepKeyOf(id, FAILED), stepKeyOf(id, RESULT)];
  return findEvents(tx, conversationId ?? id, stepKeys);
}

/** Begins unlike the keys of the run's agents, whatever those are named. */
function stepKeyOf(pipelineId: PipelineId, end: typeof FAILED | typeof RESULT): string {
  return `end:${pipelineId}:${end}`;
}

/** Stores the run's last events, and for a conversation the message that shows its result. */
export async function announceEnd(
  tx: Tx,
  run: EndingRun,
  { result, outcome, language }: RunEnding,
): Promise<readonly StoredEvent[]> {
  const { id: pipelineId, conversationId } = run;
  const content = resultContent(result, outcome, language);
  const event = { type: RESULT, content, result, pipeline_id: pipelineId } as const;
  const steps: EventStep[] = [
    ...failureOf(pipelineId, outcome).map((failure) => ({
      stepKey: stepKeyOf(pipelineId, FAILED),
      event: failure,
    })),
    { stepKey: stepKeyOf(pipelineId, RESULT), event },
  ];
  if (conversationId !== null) {
    const { status, total_cost } = result;
    await addMessage(tx, {
      id: resultMessageId(pipelineId),
      conversationId,
      role: 'assistant',
      content,
      metadata: { ...event, status, total_cost },
    });
  }
  return appendEvents(tx, { streamId: conversationId ?? pipelineId, conversationId, steps });
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
