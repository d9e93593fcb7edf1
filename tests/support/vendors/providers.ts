/** All vendors' providers, against a stand-in. */
import type { Vendor } from '../../../domain/agents/models.js';
import { createAnthropic } from '../../../llm/providers/anthropic.js';
import { createGoogle } from '../../../llm/providers/google.js';
import type { Provider } from '../../../llm/model.js';
import { createOpenAi } from '../../../llm/providers/openai.js';
import type { StandInVendors } from './server.js';

type Addresses = Pick<StandInVendors, 'openAiUrl' | 'anthropicUrl' | 'googleUrl'>;

export function createProviders(at: Addresses): Record<Vendor, Provider> {
  return {
    openai: createOpenAi({ baseUrl: at.openAiUrl }),
    anthropic: createAnthropic({ baseUrl: at.anthropicUrl }),
    google: createGoogle({ baseUrl: at.googleUrl }),
  };
}
