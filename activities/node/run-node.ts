import { ApplicationFailure, Context, log } from '@temporalio/activity';
import type { AllowedAddress } from '../../domain/allowed-addresses.js';
import { DomainError, type ErrorCode } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import { repairStepOf, stepIdOf, type PipelineId, type StreamId } from '../../domain/ids.js';
import { adviceOf } from '../../domain/failure-advice.js';
import { previewOf } from '../../domain/previews.js';
import { rounded } from '../../domain/result-rules.js';
import type { AgentStatus } from '../../domain/results.js';
import type { AskedVendor } from '../../domain/failed-attempts.js';
import { storeEnd, type AgentEnd } from '../../db/node-ends.js';
import { findStep, findStepOrThrow, type AgentStep } from '../../db/agent-steps.js';
import { readStepTask } from '../../db/node-contexts.js';
import { repeatVictim } from '../../db/transactions.js';
import { askedSoFar } from '../../llm/attempt-scope.js';
import { announcementOf, streamOf } from './result.js';
import type { AgentCall, AgentOutcome } from './context.js';
import { workOn, type AgentWorkDeps } from './collect.js';
import { createCollector } from './collector-client.js';

export type { AgentCall } from './context.js';

export interface AgentActivities {
  /**
   * Runs one agent of a pipeline. Its end is stored once per `stepId` together with its
   * `agent_completed` event, and found by retries; a reply that has arrived is never paid twice.
   *
   * @returns the receipt of an agent that succeeded; texts stay in PostgreSQL.
   * @throws for a failed agent: a final failure whose type is the agent's error code and whose
   *   first detail is its receipt. `model-unavailable`, `model-rate-limited`, `model-timeout`
   *   while attempts are left and `unavailable` while a store is away are retried.
   */
  runAgent(call: AgentCall): Promise<AgentReceipt>;
}

export interface AgentReceipt {
  readonly node: string;
  readonly status: AgentStatus;
  readonly errorCode: ErrorCode | null;
  readonly tokensUsed: number;
  readonly costUsd: number;
  /** From the first attempt's start, 2 decimals. */
  readonly durationSeconds: number;
  readonly provider: string | null;
  readonly model: string | null;
  /** As in `AgentResult`; absent in receipts of older versions. */
  readonly attempts?: number | null;
  /** What conditions of edges may look at. */
  readonly fields: Readonly<Record<string, number>>;
  /** The first 200 characters of the answer. */
  readonly preview: string;
  /** Of a failed agent: whom its last attempt has asked. */
  readonly asked?: readonly AskedVendor[];
}

export interface AgentDeps extends Omit<AgentWorkDeps, 'collector'> {
  /** `DATA_COLLECTOR_URL` */
  readonly collectorUrl: string;
  /** Absent or null: it asks for none. */
  readonly collectorSecret?: string | null;
  /** Private hosts that collectors may read all the same; default: none. */
  readonly collectorAllowed?: readonly AllowedAddress[];
  publish(streamId: StreamId, events: readonly StoredEvent[]): void;
}

export function createAgentActivities(deps: AgentDeps): AgentActivities {
  const collector = createCollector({
    baseUrl: deps.collectorUrl,
    secret: deps.collectorSecret ?? null,
    allowed: deps.collectorAllowed ?? [],
  });
  return {
    async runAgent(call) {
      const stored = await readStepTask(deps.db, call);
      if (stored?.hasEnded === true) {
        return hand(await findStepOrThrow(deps.db, call.stepId));
      }
      return call.reuseFrom === undefined
        ? hand(await end(deps, call, await workOn({ ...deps, collector }, call, stored)))
        : hand(await takeOver(deps, { ...call, reuseFrom: call.reuseFrom }));
    },
  };
}

/**
 * Stores another run's answer as this run's own: nothing is asked, nothing is paid, and conditions
 * see what they saw then.
 *
 * @throws `not-found` when that run has been deleted: asking anew would cost what nobody ordered
 */
async function takeOver(
  deps: AgentDeps,
  call: AgentCall & { readonly reuseFrom: PipelineId },
): Promise<AgentStep> {
  const source = await findStep(deps.db, stepIdOf(call.reuseFrom, call.node));
  if (source?.status !== 'success') {
    throw new DomainError('not-found', `pipeline ${call.reuseFrom} has no answer of ${call.node}`);
  }
  const { seq: _seq, endedAt: _endedAt, fields, unreadSources, ...answer } = source;
  const { pipelineId, node, stepId: id } = call;
  return store(deps, call, {
    ...answer,
    ...{ id, pipelineId, node, tokensUsed: 0, cost: '0', durationSeconds: 0 },
    fields,
    unreadSources: unreadSources === null ? null : JSON.stringify(unreadSources),
    reusedFrom: call.reuseFrom,
  });
}

async function end(deps: AgentDeps, call: AgentCall, outcome: AgentOutcome): Promise<AgentStep> {
  return store(deps, call, endOf(call, outcome, secondsSinceScheduled()));
}

async function store(deps: AgentDeps, call: AgentCall, row: AgentEnd): Promise<AgentStep> {
  const { step, events } = await repeatVictim(() =>
    storeEnd(deps.db, row, announcementOf(call, row)),
  );
  if (events.length > 0) {
    deps.publish(streamOf(call), events);
  }
  return step;
}

/** Wall clock over all attempts; the clocks of server and worker may differ a little. */
function secondsSinceScheduled(): number {
  const { scheduledTimestampMs } = Context.current().info;
  return Math.max(0, rounded((Date.now() - scheduledTimestampMs) / 1_000, 2));
}

function endOf(call: AgentCall, outcome: AgentOutcome, durationSeconds: number): AgentEnd {
  const { agent, answered, unread, ...made } = outcome;
  return {
    ...made,
    id: call.stepId,
    pipelineId: call.pipelineId,
    node: call.node,
    agentName: agent.name,
    role: agent.role,
    cost: { of: [call.stepId, repairStepOf(call.stepId)] },
    durationSeconds,
    unreadSources: unread.length === 0 ? null : JSON.stringify(unread),
    fields: { ...answered, tokens_used: made.tokensUsed, duration_seconds: durationSeconds },
  };
}

/** @throws the failed agent's failure, on every attempt in the same way */
function hand(step: AgentStep): AgentReceipt {
  const receipt = receiptOf(step);
  if (step.status === 'failed') {
    const { pipelineId, node, errorCode } = step;
    log.warn('agent failed', { pipelineId, node, errorCode });
    const code = errorCode ?? 'internal';
    const asked = askedSoFar();
    throw ApplicationFailure.nonRetryable(adviceOf(code), code, {
      ...receipt,
      ...(asked.length === 0 ? {} : { asked }),
    });
  }
  return receipt;
}

export function receiptOf(step: AgentStep): AgentReceipt {
  const {
    node,
    status,
    errorCode,
    tokensUsed,
    durationSeconds,
    provider,
    model,
    attempts,
    fields,
  } = step;
  return {
    node,
    status,
    errorCode,
    tokensUsed,
    costUsd: Number(step.cost),
    durationSeconds,
    provider,
    model,
    attempts,
    fields,
    preview: previewOf(step.content),
  };
}
