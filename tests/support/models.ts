/** The built-in models, as tests ask for them. */
import type { Vendor } from '../../domain/agents/models.js';
import type { ModelParameters } from '../../llm/model.js';
import { findParameters } from '../../llm/routing/model-catalog.js';
import type { VendorCall } from './vendors/behaviour.js';
import {
  BUILT_IN_MODELS,
  type ListedModel,
  type ModelCatalog,
} from '../../llm/routing/models-file.js';

/** What the model takes; without a name, what its vendor's models take. */
export function parametersOf(
  provider: Vendor | 'simulated',
  model = 'not-listed',
): ModelParameters {
  return findParameters(BUILT_IN_MODELS, provider, model);
}

/** What a call leaves for the answer, beside the model's thoughts. */
export function answerTokensOf({ vendor, model, maxTokens }: VendorCall): number {
  return (maxTokens ?? 0) - parametersOf(vendor, model).thinkingTokens;
}

/** The built-in models with some of them changed. */
export function catalogWith(change: (model: ListedModel) => ListedModel): ModelCatalog {
  const models = new Map([...BUILT_IN_MODELS.models].map(([id, model]) => [id, change(model)]));
  return { ...BUILT_IN_MODELS, models };
}
