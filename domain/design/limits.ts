/**
 * The limits of a design, by who writes it. What is stored was checked when it came, by the limits
 * of its day, so that none hold for it now.
 */
import { MAX_AGENTS } from '../run/pipeline.js';

export type DesignSource = 'client' | 'model' | 'store';

interface Limit {
  /** What HTTP takes. Source where none is named: contract, pipeline §1.1 ("cap"), chosen here. */
  readonly client: number;
  /** What a chat shows and an owner pays for. null: a model does not set it. */
  readonly model: number | null;
}

/** Characters (code points, as the columns count them) of texts, and items of lists. */
export const DESIGN_LIMITS = {
  /** `client`: the column's size; `model`: leaves room in it for the suffix of equal names. */
  name: { client: 255, model: 240 },
  description: { client: 10_000, model: 4_000 },
  /** `client`: contract, decision 18; `model`: its designs have to run. */
  agents: { client: 100, model: MAX_AGENTS },
  agentName: { client: 255, model: 240 },
  role: { client: 255, model: 100 },
  llmModel: { client: 255, model: 100 },
  agentDescription: { client: 10_000, model: 4_000 },
  /** Source: contract, pipeline §1.2. */
  customPrompt: { client: 4_000, model: null },
  /** `model`: one from each agent to each other. */
  edges: { client: 2_000, model: MAX_AGENTS * (MAX_AGENTS - 1) },
  /** An agent's name, with the suffix of a duplicate. */
  edgeEnd: { client: 265, model: 255 },
  condition: { client: 500, model: 200 },
  points: { client: 100, model: 20 },
  point: { client: 10_000, model: 1_000 },
  estimatedCost: { client: 255, model: 100 },
  complexity: { client: 255, model: 20 },
  hints: { client: 100, model: null },
  /** An address. */
  hint: { client: 2_048, model: null },
} as const satisfies Readonly<Record<string, Limit>>;

/** Of the numbers that clients set, both ends included. Source: contract, pipeline §1.2. */
export const AGENT_RANGES = {
  temperature: { min: 0, max: 2 },
  maxTokens: { min: 1, max: 16_384 },
  retryCount: { min: 0, max: 10 },
  /** 30 days at most: nothing is forgotten for ever. */
  approvalTimeoutSeconds: { min: 1, max: 30 * 24 * 60 * 60 },
} as const;

export function limitFor(source: DesignSource, what: keyof typeof DESIGN_LIMITS): number {
  return source === 'store' ? Infinity : (DESIGN_LIMITS[what][source] ?? 0);
}
