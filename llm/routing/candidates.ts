/** Which providers may answer a request with which keys, and what each would be sent. */
import { DomainError } from '../../domain/errors.js';
import type { ComplexityClass, ProviderName } from '../../domain/agents/models.js';
import type { ModelCall, ModelRequest, PayingKey, Provider } from '../model.js';
import type { Price } from '../../domain/account/bill.js';
import {
  findModel,
  findParameters,
  getPrice,
  listChoices,
  type ModelChoice,
  type ModelSettings,
} from './model-catalog.js';
import type { ModelCatalog } from './models-file.js';

export type Providers = Readonly<Partial<Record<ProviderName, Provider>>>;

export interface Candidate {
  readonly provider: Provider;
  readonly key: PayingKey;
  readonly call: ModelCall;
  /** null: it must not be called. */
  readonly price: Price | null;
  readonly complexity: ComplexityClass;
  /** Provider of the first candidate, where this is a later one. */
  readonly fallbackFrom: ProviderName | null;
}

export interface CandidateDeps {
  readonly providers: Providers;
  readonly catalog: ModelCatalog;
  readonly settings: ModelSettings;
}

/** Best first (contract, decision 9). Simulated and real never mix. @throws `no-llm-key` */
export function listCandidates(
  { providers, catalog, settings }: CandidateDeps,
  request: ModelRequest,
  keys: readonly PayingKey[],
): readonly Candidate[] {
  const usable = keys.filter(
    ({ provider }) =>
      (provider === 'simulated') === request.simulated && providers[provider] !== undefined,
  );
  const available = usable.map(({ provider }) => provider);
  const choices = listChoices(catalog, request, available, settings);
  const [first] = choices;
  if (first === undefined) {
    throw new DomainError('no-llm-key', 'no LLM provider configured');
  }
  return choices.flatMap((choice) => {
    const key = usable.find(({ provider }) => provider === choice.provider);
    const provider = providers[choice.provider];
    if (key === undefined || provider === undefined) {
      return [];
    }
    const call = createCall(catalog, request, choice);
    const price = getPrice(catalog, choice.model, settings.today);
    const fallbackFrom = choice === first ? null : first.provider;
    return [{ provider, key, call, price, complexity: request.complexity, fallbackFrom }];
  });
}

/** Source: contract, decision 23. */
const UNKNOWN_CONTEXT_TOKENS = 100_000;

function createCall(catalog: ModelCatalog, request: ModelRequest, choice: ModelChoice): ModelCall {
  const { model, provider } = choice;
  const listed = findModel(catalog, model);
  const parameters = findParameters(catalog, provider, model);
  const { thinkingTokens } = parameters;
  const longest = (listed?.outputTokens ?? Number.POSITIVE_INFINITY) - thinkingTokens;
  const maxTokens = Math.min(request.maxTokens, longest);
  const context = listed?.contextTokens ?? UNKNOWN_CONTEXT_TOKENS;
  const room = Math.max(context - maxTokens - thinkingTokens, Math.floor(context / 2));
  return {
    model,
    messages: request.messagesWithin?.(room) ?? request.messages,
    temperature: request.temperature,
    maxTokens,
    parameters,
    purpose: request.purpose,
    ...(request.answer === undefined ? {} : { answer: request.answer }),
  };
}
