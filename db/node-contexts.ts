/** What an agent begins with, read by one statement. */
import { sql, type Selectable } from 'kysely';
import type { PipelineId, StepId } from '../domain/ids.js';
import { PRIOR_COLUMNS, type PriorStep } from './agent-steps.js';
import type { Db } from './connect.js';
import { readable } from './pipelines.js';
import type { PipelineExecutionsTable } from './schema.js';

/** Amounts as text: numbers of JSON are not exact. */
const PRIOR_FIELDS = sql.join([
  sql`'cost', cost::text`,
  ...PRIOR_COLUMNS.map((name) => sql`${sql.lit(name)}, ${sql.ref(`agentSteps.${name}`)}`),
]);

export interface StepTask {
  readonly run: Selectable<PipelineExecutionsTable>;
  /** The step itself has been stored by an earlier attempt. */
  readonly hasEnded: boolean;
  /** An earlier attempt has stored the model's reply. */
  readonly hasReply: boolean;
  /** The agents that have ended, in the order of their events; those are left out that have none. */
  readonly steps: readonly PriorStep[];
}

/** @returns null for a missing run */
export async function readStepTask(
  db: Db,
  { pipelineId, stepId }: { readonly pipelineId: PipelineId; readonly stepId: StepId },
): Promise<StepTask | null> {
  const task = await db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .select([
      sql<boolean>`exists (select from agent_steps where id = ${stepId})`.as('hasEnded'),
      sql<boolean>`exists (select from model_replies where step_id = ${stepId})`.as('hasReply'),
      sql<readonly PriorStep[]>`(
        select coalesce(json_agg(json_build_object(${PRIOR_FIELDS}) order by seq), '[]')
        from agent_steps where pipeline_id = pipeline_executions.id and seq is not null
      )`.as('steps'),
    ])
    .where('id', '=', pipelineId)
    .executeTakeFirst();
  if (task === undefined) {
    return null;
  }
  const { hasEnded, hasReply, steps, ...run } = task;
  return { run: readable(run), hasEnded, hasReply, steps };
}
