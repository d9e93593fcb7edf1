import { z } from 'zod';
import type { PastPipeline, Totals, UsageDay } from '../../db/stats.js';
import { pipelineStatusNames } from './results.js';

export const usageHistorySchema = z.array(
  z
    .object({ date: z.iso.date(), cost: z.number(), request_count: z.int() })
    .meta({ id: 'UsageDay' }),
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
  return { date: day.date, cost: Number(day.cost), request_count: day.requestCount };
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
