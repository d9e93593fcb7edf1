/** What a node's execution begins with, read by one statement. */
import { sql, type Selectable } from 'kysely';
import type { PipelineId, StepId } from '../../domain/ids.js';
import { nodeStepIds } from '../../domain/run/node-steps.js';
import { OUTPUT_COLUMNS, type UpstreamOutput } from './agent-steps.js';
import type { Db } from '../connect.js';
import { readable } from './runs.js';
import type { PipelineExecutionsTable } from '../schema.js';
import { createStatement } from '../statements.js';

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
  const [row] = await readStatement(db, { pipelineId, stepId, stepIds: nodeStepIds(stepId) });
  if (row === undefined) {
    return null;
  }
  const { ended, hasEnded, repliedSteps, ...run } = row;
  return { run: readable(run), ended, hasEnded, repliedSteps };
}

interface ReadValues {
  readonly pipelineId: PipelineId;
  readonly stepId: StepId;
  readonly stepIds: readonly StepId[];
}

type ReadRow = NodeRecords['run'] & Omit<NodeRecords, 'run'>;

const readStatement = createStatement<ReadValues, ReadRow>(
  (value) => sql`
    select run.*,
      exists (select from agent_steps where id = ${value('stepId')}) as has_ended,
      array(
        select step_id from model_replies where step_id = any(${value('stepIds')}::text[])
      ) as replied_steps,
      (
        select coalesce(json_agg(json_build_object(${OUTPUT_FIELDS}) order by seq), '[]')
        from agent_steps where pipeline_id = run.id and seq is not null
      ) as ended
    from pipeline_executions as run where id = ${value('pipelineId')}::uuid`,
);
