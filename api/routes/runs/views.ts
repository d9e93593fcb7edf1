/** The wire form of runs; the documents themselves are typed in domain/run/results.ts. */
import { z } from 'zod';
import type { Page } from '../../../db/pages.js';
import type { RunItem } from '../../../db/runs/run-pages.js';
import { formatTimeCursor } from '../../http/schemas/fields.js';
import type {
  PipelineResult,
  PipelineStatus,
  PipelineStatusView,
} from '../../../domain/run/results.js';
import { FINAL_STATUSES, WAIT_REASONS } from '../../../domain/run/results.js';
import { UNREAD_REASONS } from '../../../domain/collector/unread-sources.js';

export const agentResultSchema = z
  .object({
    agent_name: z.string(),
    role: z.string(),
    content: z.string(),
    tokens_used: z.int(),
    cost_estimate: z.number(),
    duration_seconds: z.number(),
    status: z.enum(['success', 'failed']),
    error: z.string().nullable(),
    reused_from: z.guid().exactOptional(),
    provider: z.string().nullable().exactOptional(),
    model: z.string().nullable().exactOptional(),
    attempts: z.int().min(0).nullable().exactOptional(),
    fallback_from: z.string().nullable().exactOptional(),
    truncated: z.literal(true).exactOptional(),
    error_code: z.string().exactOptional(),
    unread_sources: z
      .array(
        z.object({
          url: z.string(),
          code: z.enum(UNREAD_REASONS),
          http_status: z.int().exactOptional(),
        }),
      )
      .readonly()
      .exactOptional(),
  })
  .meta({ id: 'AgentResult' });

export const pipelineResultSchema: z.ZodType<PipelineResult> = z
  .object({
    design_name: z.string(),
    status: z.enum(FINAL_STATUSES),
    agent_results: z.array(agentResultSchema),
    total_cost: z.number(),
    total_duration: z.number(),
    total_tokens: z.int(),
    output: z.string(),
    error: z.string().nullable(),
    missing: z
      .array(
        z.object({
          agent: z.string(),
          reason: z.string(),
          code: z.string(),
          url: z.string().exactOptional(),
        }),
      )
      .exactOptional(),
  })
  .meta({ id: 'PipelineResult' });

export const pipelineStatusNames: readonly PipelineStatus[] = [
  'pending',
  'running',
  ...FINAL_STATUSES,
];

export const pipelineStatusSchema: z.ZodType<PipelineStatusView> = z
  .object({
    pipeline_id: z.guid(),
    status: z.enum(pipelineStatusNames),
    design_name: z.string(),
    started_at: z.iso.datetime(),
    result: pipelineResultSchema.nullable(),
    waiting_for: z.enum(WAIT_REASONS).nullable(),
    waiting_agents: z.array(
      z.object({
        agent_name: z.string(),
        node: z.string(),
        until: z.iso.datetime(),
        providers: z.array(z.object({ provider: z.string(), code: z.string() })),
      }),
    ),
    detail: z.string().nullable(),
    rerun_of: z.guid().nullable(),
  })
  .meta({ id: 'PipelineStatus' });

const runItemSchema = z
  .object({
    id: z.guid(),
    design_name: z.string(),
    status: z.enum(pipelineStatusNames),
    waiting_for: z.enum(WAIT_REASONS).nullable(),
    template_id: z
      .guid()
      .nullable()
      .meta({ description: 'null: none, or started before this was recorded' }),
    conversation_id: z.guid().nullable(),
    rerun_of: z.guid().nullable(),
    simulated: z.boolean(),
    agent_count: z.int(),
    total_cost: z.number().meta({ description: 'US dollars; 0 until the run has ended' }),
    duration_seconds: z.number().nullable(),
    created_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'RunItem' });

export const runPageSchema = z
  .object({
    items: z.array(runItemSchema),
    next: z.string().nullable().meta({
      description:
        '`after` of the next page; null: this is the last one. A filter may leave a page with few items, or none, and more to come',
    }),
  })
  .meta({ id: 'RunPage' });

export function viewRunPage({ items, next }: Page<RunItem>): z.output<typeof runPageSchema> {
  return {
    items: items.map((run) => ({
      id: run.id,
      design_name: run.designName,
      status: run.status,
      waiting_for: run.waitingFor,
      template_id: run.templateId,
      conversation_id: run.conversationId,
      rerun_of: run.rerunOf,
      simulated: run.simulated,
      agent_count: run.agentCount,
      total_cost: Number(run.totalCost),
      duration_seconds: run.durationSeconds,
      created_at: run.createdAt.toISOString(),
      ended_at: run.endedAt?.toISOString() ?? null,
    })),
    next: formatTimeCursor(next),
  };
}
