/** What a node's execution begins with, read by one statement. */
import { sql, type Selectable } from 'kysely';
import type { PipelineId, StepId } from '../domain/ids.js';
import { nodeStepIds } from '../domain/node-steps.js';
import { OUTPUT_COLUMNS, type UpstreamOutput } from './agent-steps.js';
import type { Db } from './connect.js';
import { readable } from './pipelines.js';
import type { PipelineExecutionsTable } from './schema.js';

export type { UpstreamOutput } from './agent-steps.js';

/** Amounts as text: numbers of JSON are not exact. */
const OUTPUT_FIELDS = sql.join([
  sql`'cost', cost::text`,
  ...OUTPUT_COLUMNS.map((name) => sql`${sql.lit(name)}, ${sql.ref(`agentSteps.${name}`)}`),
]);

export interface NodeRecords {
  readonly run: Selectable<PipelineExecutionsTable>;
  /** The nodes that have ended, in the order of their events; those that have none are left out. */
  readonly ended: readonly UpstreamOutput[];
  /** The node itself has ended in an earlier attempt. */
  readonly hasEnded: boolean;
  /** Steps of the node whose replies an earlier attempt has stored. */
  readonly repliedSteps: readonly StepId[];
}

/** @returns null for a missing run */
export async function readNodeRecords(
  db: Db,
  { pipelineId, stepId }: { readonly pipelineId: PipelineId; readonly stepId: StepId },
): Promise<NodeRecords | null> {
  const row = await db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .select([
      sql<boolean>`exists (select from agent_steps where id = ${stepId})`.as('hasEnded'),
      sql<readonly StepId[]>`array(
        select step_id from model_replies where step_id = any(${nodeStepIds(stepId)}::text[])
      )`.as('repliedSteps'),
      sql<readonly UpstreamOutput[]>`(
        select coalesce(json_agg(json_build_object(${OUTPUT_FIELDS}) order by seq), '[]')
        from agent_steps where pipeline_id = pipeline_executions.id and seq is not null
      )`.as('ended'),
    ])
    .where('id', '=', pipelineId)
    .executeTakeFirst();
  if (row === undefined) {
    return null;
  }
  const { ended, hasEnded, repliedSteps, ...run } = row;
  return { run: readable(run), ended, hasEnded, repliedSteps };
}
