import { z } from 'zod';
import type { Comparison } from '../../runs/rerun.js';
import type { RunRecord } from '../../../db/runs/runs.js';
import { agentResultSchema, pipelineStatusNames } from './views.js';

const comparedRunSchema = z
  .object({
    pipeline_id: z.guid(),
    status: z.enum(pipelineStatusNames),
    design_name: z.string(),
    rerun_of: z.guid().nullable(),
    started_at: z.iso.datetime(),
    total_cost: z.number(),
    total_tokens: z.int(),
    total_duration: z.number().nullable(),
    output: z.string(),
  })
  .meta({ id: 'ComparedRun' });

export const comparisonSchema = z
  .object({
    left: comparedRunSchema,
    right: comparedRunSchema,
    nodes: z.array(
      z.object({
        node: z.string(),
        left: agentResultSchema.nullable(),
        right: agentResultSchema.nullable(),
        same_output: z.boolean(),
        changed: z.array(z.string()).readonly(),
      }),
    ),
  })
  .meta({ id: 'Comparison' });

export function viewComparison({ runs, nodes }: Comparison): z.output<typeof comparisonSchema> {
  const [left, right] = runs;
  return { left: viewRun(left), right: viewRun(right), nodes: [...nodes] };
}

function viewRun(run: RunRecord): z.output<typeof comparedRunSchema> {
  const { result } = run;
  return {
    pipeline_id: run.id,
    status: run.status,
    design_name: run.designName,
    rerun_of: run.rerunOf,
    started_at: (run.startedAt ?? run.createdAt).toISOString(),
    total_cost: result?.total_cost ?? Number(run.totalCost),
    total_tokens: result?.total_tokens ?? 0,
    total_duration: run.durationSeconds,
    output: result?.output ?? '',
  };
}
