import { z } from 'zod';
import type { PastPipeline, Totals, UsageDay } from '../../../db/billing/stats.js';
import { pipelineStatusNames } from '../runs/views.js';

/** Of days of one user and of all. */
export const NOT_STATED =
  'Of `cost`, `estimated_cost` is for answers whose vendor stated no usage, `unknown_cost` for calls of unknown end: both at their upper bound; absent where 0';

export const usageHistorySchema = z.array(
  z
    .object({
      date: z.iso.date(),
      cost: z.number(),
      request_count: z.int(),
      estimated_cost: z.number().exactOptional(),
      unknown_cost: z.number().exactOptional(),
    })
    .meta({ id: 'UsageDay', description: NOT_STATED }),
);

export const pipelineHistorySchema = z.array(
  z
    .object({
      id: z.guid(),
      design_name: z.string(),
      status: z.enum(pipelineStatusNames),
      duration_seconds: z.number().nullable(),
      agent_count: z.int(),
      created_at: z.iso.datetime(),
    })
    .meta({ id: 'PastPipeline' }),
);

export const summarySchema = z
  .object({
    total_conversations: z.int(),
    total_messages: z.int(),
    total_templates: z.int(),
    total_pipelines: z.int(),
  })
  .meta({ id: 'Summary' });

export function viewUsageDay(day: UsageDay) {
  return {
    date: day.date,
    cost: Number(day.cost),
    request_count: day.requestCount,
    ...(Number(day.estimatedCost) === 0 ? {} : { estimated_cost: Number(day.estimatedCost) }),
    ...(Number(day.unknownCost) === 0 ? {} : { unknown_cost: Number(day.unknownCost) }),
  };
}

export function viewPastPipeline(run: PastPipeline) {
  return {
    id: run.id,
    design_name: run.designName,
    status: run.status,
    duration_seconds: run.durationSeconds,
    agent_count: run.agentCount,
    created_at: run.createdAt.toISOString(),
  };
}

export function viewTotals(totals: Totals) {
  return {
    total_conversations: totals.conversations,
    total_messages: totals.messages,
    total_templates: totals.templates,
    total_pipelines: totals.pipelines,
  };
}
