import { z } from 'zod';
import type { CostGroups, CostSums } from '../../../db/billing/cost-groups.js';
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

const costSumsSchema = z
  .object({
    calls: z.int(),
    cost: z.number(),
    settled: z.number(),
    estimated: z.number(),
    unknown: z.number(),
    reserved: z.number(),
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
  })
  .meta({
    id: 'CostSums',
    description:
      'US dollars. `cost` is the sum of `settled`, `estimated` (answers whose vendor stated no usage), `unknown` (calls of unknown end) and `reserved` (calls under way), the last three at their upper bound',
  });

const costItemSchema = costSumsSchema
  .extend({ key: z.string().nullable(), name: z.string().nullable() })
  .meta({
    id: 'CostItem',
    description:
      '`key`: a model, a UTC day, a node, or an id; null: calls of none. `name`: the title of what has the id; of a model, its provider',
  });

export const costsSchema = z
  .object({
    items: z.array(costItemSchema).meta({ description: 'The dearest first' }),
    omitted: z.int().meta({ description: 'How many more there are' }),
    total: costSumsSchema,
  })
  .meta({ id: 'OwnCosts' });

export function viewCostGroups({
  items,
  omitted,
  total,
}: CostGroups): z.output<typeof costsSchema> {
  return {
    items: items.map((item) => ({ key: item.key, name: item.name, ...viewSums(item) })),
    omitted,
    total: viewSums(total),
  };
}

function viewSums(sums: CostSums): z.output<typeof costSumsSchema> {
  const [settled, estimated] = [Number(sums.settled), Number(sums.estimated)];
  const [unknown, reserved] = [Number(sums.unknown), Number(sums.reserved)];
  return {
    calls: sums.calls,
    cost: Number(sums.cost),
    ...{ settled, estimated, unknown, reserved },
    prompt_tokens: sums.promptTokens,
    completion_tokens: sums.completionTokens,
  };
}

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
