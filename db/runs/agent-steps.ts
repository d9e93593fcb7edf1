/** The finished agents of runs, in the order in which they were announced. */
import { sql, type Selectable } from 'kysely';
import type { PipelineId, StepId } from '../../domain/ids.js';
import { isFinal, type AgentResult } from '../../domain/run/results.js';
import type { Db, Tx } from '../connect.js';
import type { AgentStepsTable } from '../schema.js';

export type AgentStep = Selectable<AgentStepsTable>;

/** All of them are alike in PostgreSQL and in JSON. */
export const OUTPUT_COLUMNS = [
  ...(['node', 'seq', 'agentName', 'role', 'content', 'status', 'error', 'reusedFrom'] as const),
  ...(['tokensUsed', 'durationSeconds', 'provider', 'model', 'attempts', 'fallbackFrom'] as const),
  ...(['truncated', 'errorCode', 'unreadSources'] as const),
] as const;

/** What later agents may read of one that has ended. */
export type UpstreamOutput = Pick<AgentStep, (typeof OUTPUT_COLUMNS)[number] | 'cost'>;

export async function findStep(db: Db | Tx, stepId: StepId): Promise<AgentStep | null> {
  const step = await db
    .selectFrom('agentSteps')
    .selectAll()
    .where('id', '=', stepId)
    .executeTakeFirst();
  return step ?? null;
}

/** Order of completion; agents that ended after their run come last. */
export async function listSteps(db: Db | Tx, pipelineId: PipelineId): Promise<AgentStep[]> {
  return db
    .selectFrom('agentSteps')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .orderBy('seq', (request) => request.asc().nullsLast())
    .orderBy('endedAt')
    .orderBy('id')
    .execute();
}

export async function findStepOrThrow(db: Db | Tx, stepId: StepId): Promise<AgentStep> {
  return db.selectFrom('agentSteps').selectAll().where('id', '=', stepId).executeTakeFirstOrThrow();
}

/**
 * Whether the run still takes events. Its row is share-locked until `tx` ends, so that the run
 * cannot end in between.
 */
export async function isRunOpen(tx: Tx, pipelineId: PipelineId): Promise<boolean> {
  const run = await tx
    .selectFrom('pipelineExecutions')
    .select('status')
    .where('id', '=', pipelineId)
    .forShare()
    .executeTakeFirst();
  return run?.status === 'pending' || run?.status === 'running';
}

/** How far a run has come. */
export interface RunSnapshot {
  readonly isOpen: boolean;
  /** Nodes that have ended, with the `seq` of their `agent_completed`; null: after the run. */
  readonly ended: ReadonlyMap<string, number | null>;
}

/** Of those runs that there are. */
export async function readRunSnapshots(
  db: Db,
  pipelineIds: readonly PipelineId[],
): Promise<ReadonlyMap<PipelineId, RunSnapshot>> {
  if (pipelineIds.length === 0) {
    return new Map();
  }
  const rows = await db
    .selectFrom('pipelineExecutions')
    .leftJoin('agentSteps', 'agentSteps.pipelineId', 'pipelineExecutions.id')
    .select(['pipelineExecutions.id', 'pipelineExecutions.status'])
    .select(['agentSteps.node', 'agentSteps.seq'])
    .where(sql<boolean>`pipeline_executions.id = any(${pipelineIds}::uuid[])`)
    .execute();
  const snapshots = new Map<PipelineId, RunSnapshot & { ended: Map<string, number | null> }>();
  for (const { id, status, node, seq } of rows) {
    const snapshot = snapshots.get(id) ?? { isOpen: !isFinal(status), ended: new Map() };
    snapshots.set(id, snapshot);
    if (node !== null) {
      snapshot.ended.set(node, seq);
    }
  }
  return snapshots;
}

/** To be called before the collector is: the run's count of the day then stays. */
export async function noteCollectorCall(db: Db, pipelineId: PipelineId): Promise<void> {
  await db
    .updateTable('pipelineExecutions')
    .set({ collectorCalled: true })
    .where('id', '=', pipelineId)
    .where('collectorCalled', '=', false)
    .execute();
}

export function resultOfStep(step: UpstreamOutput): AgentResult {
  return {
    agent_name: step.agentName,
    role: step.role,
    content: step.content,
    tokens_used: step.tokensUsed,
    cost_estimate: Number(step.cost),
    duration_seconds: step.durationSeconds,
    status: step.status,
    error: step.error,
    ...(step.reusedFrom === null ? {} : { reused_from: step.reusedFrom }),
    provider: step.provider,
    model: step.model,
    attempts: step.attempts,
    fallback_from: step.fallbackFrom,
    ...(step.truncated ? { truncated: true } : {}),
    ...(step.errorCode === null ? {} : { error_code: step.errorCode }),
    ...(step.unreadSources === null ? {} : { unread_sources: step.unreadSources }),
  };
}
