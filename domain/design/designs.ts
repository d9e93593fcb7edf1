/**
 * Designs, requirements and critiques: the documents that a discussion produces. They keep the
 * contract's spelling (snake_case) in every room, so that what a model wrote, what is stored and
 * what is sent are the same bytes (docs/decisions/0001-documents-keep-the-wire-spelling.md).
 */
import type { OutputSchema } from '../agents/output-schema.js';

/** What a person, or a deadline in their place, decides about a node that waits. */
export const DECISIONS = ['approve', 'reject'] as const;
export type Decision = (typeof DECISIONS)[number];

/** One agent of a design. Source of limits: contract, pipeline §1.2. */
export interface AgentSpec {
  readonly name: string;
  /** Open set; see `nodeKindOf` in domain/run/pipeline.ts for what runs. */
  readonly role: string;
  readonly llm_model: string;
  readonly description: string;
  readonly custom_prompt: string | null;
  /** 0–2 */
  readonly temperature: number;
  /** 1–16384 */
  readonly max_tokens: number;
  /** The user named `max_tokens`, so it is never raised. */
  readonly max_tokens_named?: true;
  /** 0–10; 0 and 1 both mean one attempt. */
  readonly retry_count: number;
  readonly is_custom_role: boolean;
  /** The agent waits for its owner's approval before it begins. */
  readonly approval: boolean;
  /** How long it waits, in seconds. */
  readonly approval_timeout_seconds: number;
  /** What counts as the decision when that time is over. */
  readonly on_approval_timeout: Decision;
  /** What its answer has to fit; null: a text. Designs that were stored before do not have it. */
  readonly output_schema?: OutputSchema | null;
}

/** A week: long enough for a holiday, short enough that nothing is forgotten for ever. */
const APPROVAL_TIMEOUT_SECONDS = 7 * 24 * 60 * 60;

export const AGENT_DEFAULTS = {
  custom_prompt: null,
  temperature: 0.7,
  max_tokens: 4096,
  retry_count: 3,
  is_custom_role: false,
  approval: false,
  approval_timeout_seconds: APPROVAL_TIMEOUT_SECONDS,
  on_approval_timeout: 'reject',
  output_schema: null,
} as const satisfies Partial<AgentSpec>;

export interface EdgeSpec {
  /** De-duplicated agent name. */
  readonly source: string;
  readonly target: string;
  /** `<field> <op> <number>`, or null for an unconditional edge. */
  readonly condition: string | null;
}

export interface Design {
  readonly name: string;
  readonly description: string;
  readonly agents: readonly AgentSpec[];
  readonly pros: readonly string[];
  readonly cons: readonly string[];
  readonly estimated_cost: string;
  /** `low`, `medium` or `high`; not enforced. */
  readonly complexity: string;
  readonly recommended: boolean;
  /** null or empty: the agents run in list order. */
  readonly edges: readonly EdgeSpec[] | null;
  /** Addresses that the collector reads; from the intent's `source_hints`. */
  readonly source_hints: readonly string[];
}

export type TaskComplexity = 'simple' | 'standard' | 'complex';

/** What the user wants, as far as it is understood. Source: contract, discussion §6.1. */
export interface Intent {
  readonly task: string;
  readonly source_type: string;
  readonly source_hints: readonly string[];
  readonly output_format: string;
  readonly needs_clarification: boolean;
  readonly clarification_questions: readonly string[];
  /** 0–1 */
  readonly confidence: number;
  readonly estimated_complexity: TaskComplexity;
  readonly summary: string;
}

/** A devil's advocate's view of one design. Source: contract, discussion §6.3. */
export interface Critique {
  readonly design_name: string;
  readonly weaknesses: readonly string[];
  readonly risks: readonly string[];
  readonly edge_cases: readonly string[];
  readonly security_concerns: readonly string[];
  readonly cost_concerns: readonly string[];
  readonly scalability_notes: readonly string[];
  /** 1–10, two decimals */
  readonly overall_score: number;
  readonly recommendation: string;
}
