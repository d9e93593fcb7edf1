/**
 * Servers that users and administrators have registered: OpenAI's protocol, at an address of theirs, over guarded
 * connections. A call names its server; the provider itself knows none.
 */
import {
  parseEndpointModel,
  USUAL_QUIRKS,
  type Endpoint,
  type EndpointQuirks,
} from '../../domain/agents/endpoints.js';
import { DomainError } from '../../domain/errors.js';
import type { CallOptions, ModelCall, ModelParameters, Provider } from '../model.js';
import { createGuardedFetch, type GuardedFetchDeps } from './guarded-fetch.js';
import { createCompatible, nameInMemory } from './openai.js';
import { RefusedParameters } from './refused-parameters.js';

/** What a request without a key carries: some servers want any, and ignore it. */
const NO_KEY = 'none';

export function createEndpointProvider(deps: GuardedFetchDeps): Provider {
  return withOwnNames(createProvider(createGuardedFetch(deps)));
}

function createProvider(fetch: typeof globalThis.fetch, refused?: RefusedParameters): Provider {
  return createCompatible(
    'endpoint',
    (options) => ({ baseUrl: getEndpoint(options).baseUrl, fetch }),
    refused,
  );
}

function getEndpoint({ endpoint }: CallOptions): Endpoint {
  if (endpoint === undefined) {
    throw new DomainError('internal', 'an endpoint was asked without its address');
  }
  return endpoint;
}

/** Asks for the model by the server's own name for it, and replies under ours. */
function withOwnNames(provider: Provider): Provider {
  const withKey = (options: CallOptions) => ({ ...options, apiKey: options.apiKey || NO_KEY });
  return {
    ...provider,
    async complete(call, options) {
      const model = parseEndpointModel(call.model)?.model ?? call.model;
      const reply = await provider.complete({ ...call, model }, withKey(options));
      return { ...reply, model: call.model };
    },
    checkKey: (options) => provider.checkKey(withKey(options)),
  };
}

/** What a model of the endpoint takes. */
export function toParameters({ quirks }: Pick<Endpoint, 'quirks'>): ModelParameters {
  return {
    temperature: quirks.temperature ? [0, 2] : null,
    outputCap: quirks.outputCap,
    effort: null,
    thinkingBudget: null,
    thinkingTokens: 0,
    structuredOutput: quirks.structuredOutput,
    streaming: quirks.streaming,
  };
}

export type EndpointCheck =
  | { readonly kind: 'valid'; readonly quirks: EndpointQuirks }
  /** For people; says nothing that the server has sent. */
  | { readonly kind: 'invalid' | 'unchecked'; readonly problem: string };

/** Room for a short answer, and for thoughts before it. */
const PROBE_TOKENS = 512;

const PROBE_ANSWER = {
  name: 'probe',
  schema: { type: 'object', properties: { ready: { type: 'boolean' } }, required: ['ready'] },
} as const;

/** Asks the first model for a streamed answer of a schema, and notes what the server does not do. */
export async function checkEndpoint(
  deps: GuardedFetchDeps,
  endpoint: Endpoint,
  options: Pick<CallOptions, 'apiKey' | 'signal' | 'timeoutMs'>,
): Promise<EndpointCheck> {
  const [first] = endpoint.models;
  if (first === undefined) {
    return { kind: 'invalid', problem: 'it has no model' };
  }
  const refused = new RefusedParameters();
  const provider = withOwnNames(createProvider(createGuardedFetch(deps), refused));
  const call: ModelCall = {
    model: `${endpoint.name}/${first.id}`,
    messages: [
      { role: 'user', content: 'Answer with this JSON and nothing else: {"ready": true}' },
    ],
    temperature: 0,
    maxTokens: PROBE_TOKENS,
    answer: PROBE_ANSWER,
    parameters: toParameters({ quirks: USUAL_QUIRKS }),
    purpose: { kind: 'key-check' },
  };
  const asked = { ...options, endpoint, onDelta: () => undefined };
  const seen = await probe(provider, call, asked);
  if (seen.kind !== 'valid') {
    return seen;
  }
  const learned = refused.getLearned(nameInMemory({ model: first.id }, { endpoint }));
  const parameters = { ...call.parameters, ...learned };
  return {
    kind: 'valid',
    quirks: {
      structuredOutput: seen.isJson ? parameters.structuredOutput : null,
      streaming: parameters.streaming,
      outputCap: parameters.outputCap,
      temperature: parameters.temperature !== null,
      statesUsage: seen.statesUsage,
    },
  };
}

type Probe =
  | { readonly kind: 'valid'; readonly isJson: boolean; readonly statesUsage: boolean }
  | Extract<EndpointCheck, { readonly problem: string }>;

async function probe(provider: Provider, call: ModelCall, options: CallOptions): Promise<Probe> {
  try {
    const { content, usage } = await provider.complete(call, options);
    return { kind: 'valid', isJson: isJson(content), statesUsage: usage !== null };
  } catch (error) {
    if (!(error instanceof DomainError)) {
      throw error;
    }
    if (error.code === 'model-empty') {
      return { kind: 'valid', isJson: true, statesUsage: true }; // it thought, and had no room left
    }
    const isFinal = FINAL.includes(error.code);
    return { kind: isFinal ? 'invalid' : 'unchecked', problem: error.message };
  }
}

const FINAL: readonly string[] = [
  'model-key-refused',
  'model-address-refused',
  'model-request-invalid',
  'model-credit-exhausted',
  'model-blocked',
];

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
