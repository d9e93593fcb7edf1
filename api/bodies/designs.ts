/** Designs as clients post them. Source of fields and limits: contract, pipeline §1, decision 18. */
import { z } from 'zod';
import {
  AGENT_DEFAULTS,
  type AgentSpec,
  type Design,
  type EdgeSpec,
} from '../../domain/designs.js';
import type { AgentChanges } from '../../domain/rerun.js';
import { list, text, wholeNumber } from './fields.js';
import { outputSchema } from './output-schema.js';

/**
 * Bytes of a body with a design: twenty agents whose every text is as long as it may be take 1.2 MB
 * in Korean, and 2.1 MB where a client escapes it.
 */
export const MAX_DESIGN_BYTES = 4 * 1_048_576;

/** The column's size. */
const MAX_NAME = 255;
const MAX_TEXT = 10_000;
const MAX_AGENTS = 100;
const MAX_EDGES = 2_000;
const MAX_POINTS = 100;
/** 30 days */
const MAX_APPROVAL_SECONDS = 30 * 24 * 60 * 60;

const required = {
  role: text({ max: MAX_NAME }),
  llm_model: text({ max: MAX_NAME }),
  description: text({ max: MAX_TEXT }),
};

const extended = {
  custom_prompt: text({ max: 4_000 }).nullable(),
  temperature: z.number().min(0).max(2),
  max_tokens: wholeNumber.min(1).max(16_384),
  retry_count: wholeNumber.min(0).max(10),
  is_custom_role: z.boolean(),
  output_schema: outputSchema.nullable(),
  approval: z.boolean(),
  approval_timeout_seconds: wholeNumber.min(1).max(MAX_APPROVAL_SECONDS),
  on_approval_timeout: z.enum(['approve', 'reject']),
};

/** What a re-run may change of an agent: all but its name, which the graph is made of. */
export const agentChanges = z
  .object({
    role: required.role.exactOptional(),
    llm_model: required.llm_model.exactOptional(),
    description: required.description.exactOptional(),
    custom_prompt: extended.custom_prompt.exactOptional(),
    temperature: extended.temperature.exactOptional(),
    max_tokens: extended.max_tokens.exactOptional(),
    retry_count: extended.retry_count.exactOptional(),
    is_custom_role: extended.is_custom_role.exactOptional(),
    output_schema: extended.output_schema.exactOptional(),
    approval: extended.approval.exactOptional(),
    approval_timeout_seconds: extended.approval_timeout_seconds.exactOptional(),
    on_approval_timeout: extended.on_approval_timeout.exactOptional(),
  })
  .meta({ id: 'AgentChanges' }) satisfies z.ZodType<AgentChanges>;

const agent = z
  .object({
    name: text({ max: MAX_NAME }),
    ...required,
    custom_prompt: extended.custom_prompt.default(AGENT_DEFAULTS.custom_prompt),
    temperature: extended.temperature.default(AGENT_DEFAULTS.temperature),
    max_tokens: extended.max_tokens.exactOptional(),
    retry_count: extended.retry_count.default(AGENT_DEFAULTS.retry_count),
    is_custom_role: extended.is_custom_role.default(AGENT_DEFAULTS.is_custom_role),
    output_schema: extended.output_schema.default(AGENT_DEFAULTS.output_schema),
    approval: extended.approval.default(AGENT_DEFAULTS.approval),
    approval_timeout_seconds: extended.approval_timeout_seconds.default(
      AGENT_DEFAULTS.approval_timeout_seconds,
    ),
    on_approval_timeout: extended.on_approval_timeout.default(AGENT_DEFAULTS.on_approval_timeout),
  })
  .meta({ id: 'AgentInput' })
  .transform(({ max_tokens, ...rest }) =>
    max_tokens === undefined
      ? { ...rest, max_tokens: AGENT_DEFAULTS.max_tokens }
      : { ...rest, max_tokens, max_tokens_named: true as const },
  ) satisfies z.ZodType<AgentSpec>;

const edge = z
  .object({
    source: text({ max: MAX_NAME + 10 }),
    target: text({ max: MAX_NAME + 10 }),
    condition: text({ max: 500 }).nullable().default(null),
  })
  .meta({ id: 'EdgeInput' }) satisfies z.ZodType<EdgeSpec>;

const points = list(text({ max: MAX_TEXT }), { max: MAX_POINTS }).default([]);

export const designBody = z
  .object({
    name: text({ max: MAX_NAME }),
    description: text({ max: MAX_TEXT }),
    agents: list(agent, { max: MAX_AGENTS }).default([]),
    pros: points,
    cons: points,
    estimated_cost: text({ max: MAX_NAME }).default('unknown'),
    complexity: text({ max: MAX_NAME }).default('medium'),
    recommended: z.boolean().default(false),
    edges: list(edge, { max: MAX_EDGES }).nullable().default(null),
    source_hints: list(text({ max: 2_048 }), { max: MAX_POINTS }).default([]),
  })
  .meta({ id: 'DesignInput' }) satisfies z.ZodType<Design>;
