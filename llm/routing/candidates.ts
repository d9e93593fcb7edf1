/** Which providers may answer a request with which keys, and what each would be sent. */
import { FREE, type Price } from '../../domain/account/bill.js';
import {
  nameEndpointModel,
  parseEndpointModel,
  type EndpointModel,
  type EndpointModelName,
} from '../../domain/agents/endpoints.js';
import type { ComplexityClass, ProviderName } from '../../domain/agents/models.js';
import { DomainError } from '../../domain/errors.js';
import type {
  ModelCall,
  ModelMessage,
  ModelParameters,
  ModelRequest,
  PayingKey,
  Provider,
} from '../model.js';
import { toParameters } from '../providers/endpoint.js';
import {
  findModel,
  findParameters,
  getPrice,
  listChoices,
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

/**
 * Best first (contract, decision 9). Simulated and real never mix. A model of an endpoint is asked of that endpoint
 * alone: what was meant for a server of one's own goes to no vendor.
 *
 * @throws `no-llm-key`; `model-unpriced` for a model of an endpoint that the user does not have
 */
export function listCandidates(
  deps: CandidateDeps,
  request: ModelRequest,
  keys: readonly PayingKey[],
): readonly Candidate[] {
  const usable = keys.filter(
    ({ provider }) =>
      (provider === 'simulated') === request.simulated && deps.providers[provider] !== undefined,
  );
  const named = request.simulated ? null : parseEndpointModel(request.wantedModel ?? '');
  if (named !== null) {
    return [findEndpointCandidate(deps, request, usable, named)];
  }
  const ofVendors = listVendorCandidates(deps, request, usable);
  const candidates = ofVendors.length > 0 ? ofVendors : listFirstOfEndpoints(deps, request, usable);
  if (candidates.length === 0) {
    throw new DomainError('no-llm-key', 'no LLM provider configured');
  }
  return candidates;
}

function listVendorCandidates(
  { providers, catalog, settings }: CandidateDeps,
  request: ModelRequest,
  usable: readonly PayingKey[],
): readonly Candidate[] {
  const available = usable.map(({ provider }) => provider);
  const choices = listChoices(catalog, request, available, settings);
  const [first] = choices;
  return choices.flatMap((choice) => {
    const key = usable.find(({ provider }) => provider === choice.provider);
    const provider = providers[choice.provider];
    if (key === undefined || provider === undefined) {
      return [];
    }
    const call = createCall(request, choice.model, {
      parameters: findParameters(catalog, choice.provider, choice.model),
      contextTokens: findModel(catalog, choice.model)?.contextTokens ?? null,
      outputTokens: findModel(catalog, choice.model)?.outputTokens ?? null,
    });
    const price = getPrice(catalog, choice.model, settings.today);
    const fallbackFrom = first === choice ? null : (first?.provider ?? null);
    return [{ provider, key, call, price, complexity: request.complexity, fallbackFrom }];
  });
}

function findEndpointCandidate(
  deps: CandidateDeps,
  request: ModelRequest,
  usable: readonly PayingKey[],
  { endpoint, model }: EndpointModelName,
): Candidate {
  const found = usable
    .filter((key) => key.endpoint?.name === endpoint)
    .flatMap((key) =>
      (key.endpoint?.models ?? [])
        .filter(({ id }) => id === model)
        .flatMap((listed) => createEndpointCandidate(deps, request, key, listed)),
    )
    .at(0);
  if (found === undefined) {
    throw new DomainError('model-unpriced', `no endpoint of the user's has the model ${model}`);
  }
  return found;
}

/** Where no vendor's key pays: the first model of each endpoint, the user's own before shared ones. */
function listFirstOfEndpoints(
  deps: CandidateDeps,
  request: ModelRequest,
  usable: readonly PayingKey[],
): readonly Candidate[] {
  return usable.flatMap((key) => {
    const [first] = key.endpoint?.models ?? [];
    return first === undefined ? [] : createEndpointCandidate(deps, request, key, first);
  });
}

function createEndpointCandidate(
  { providers }: CandidateDeps,
  request: ModelRequest,
  key: PayingKey,
  model: EndpointModel,
): readonly Candidate[] {
  const { endpoint } = key;
  const { endpoint: provider } = providers;
  if (endpoint === undefined || provider === undefined) {
    return [];
  }
  const call = createCall(request, nameEndpointModel(endpoint, model), {
    parameters: toParameters(endpoint),
    contextTokens: model.contextTokens,
    outputTokens: null,
  });
  const { complexity } = request;
  return [{ provider, key, call, price: model.price ?? FREE, complexity, fallbackFrom: null }];
}

/** A model that takes no schema finds it in the prompt. */
function withSchema(
  messages: readonly ModelMessage[],
  { answer }: Pick<ModelRequest, 'answer'>,
  { structuredOutput }: ModelParameters,
): readonly ModelMessage[] {
  if (answer === undefined || structuredOutput === 'json_schema') {
    return messages;
  }
  const content = `Answer with JSON only, by this JSON Schema: ${JSON.stringify(answer.schema)}`;
  return [{ role: 'system', content }, ...messages];
}

/** Source: contract, decision 23. */
const UNKNOWN_CONTEXT_TOKENS = 100_000;

interface ModelLimits {
  readonly parameters: ModelParameters;
  /** null: not known */
  readonly contextTokens: number | null;
  readonly outputTokens: number | null;
}

function createCall(
  request: ModelRequest,
  model: string,
  { parameters, contextTokens, outputTokens }: ModelLimits,
): ModelCall {
  const { thinkingTokens } = parameters;
  const longest = (outputTokens ?? Number.POSITIVE_INFINITY) - thinkingTokens;
  const maxTokens = Math.min(request.maxTokens, longest);
  const context = contextTokens ?? UNKNOWN_CONTEXT_TOKENS;
  const room = Math.max(context - maxTokens - thinkingTokens, Math.floor(context / 2));
  return {
    model,
    messages: withSchema(request.messagesWithin?.(room) ?? request.messages, request, parameters),
    temperature: request.temperature,
    maxTokens,
    parameters,
    purpose: request.purpose,
    ...(request.answer === undefined ? {} : { answer: request.answer }),
  };
}
