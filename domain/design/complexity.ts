import type { ComplexityClass } from '../agents/models.js';

/**
 * The price class that an agent's `llm_model` asks for. Whole parts of the name count, so that
 * `gemini-2.5-pro` is not taken for a `mini`. Source: contract, pipeline §6.2.
 */
export function complexityOfModel(llmModel: string): ComplexityClass {
  const parts = llmModel.toLowerCase().split(/[^a-z0-9]+/);
  if (parts.includes('mini') || parts.includes('haiku')) {
    return 'simple';
  }
  return parts.includes('opus') ? 'complex' : 'standard';
}
