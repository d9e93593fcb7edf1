/** The models as the activities use them: router, ledger, the keys that pay, and their cache. */
import type { Redis } from 'ioredis';
import type { Registry } from 'prom-client';
import { ConfigError, type Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import { createLedger } from '../db/billing/costs.js';
import { markKeyUsed, openKeys, recordRefusal } from '../db/users/llm-keys.js';
import { openEndpoints, recordEndpointCheck } from '../db/users/model-endpoints.js';
import type { SecretCipher } from '../db/users/secret-cipher.js';
import type { Ledger } from '../domain/account/costs.js';
import { DomainError } from '../domain/errors.js';
import type { UserId } from '../domain/ids.js';
import { nameEndpointModel, parseEndpointModel } from '../domain/agents/endpoints.js';
import { VENDORS, isVendor, type ProviderName } from '../domain/agents/models.js';
import { createAnthropic } from '../llm/providers/anthropic.js';
import { createGoogle } from '../llm/providers/google.js';
import { createKeyCache, type KeyCache } from '../llm/billing/key-cache.js';
import type { ModelRequest, PayingKey, Provider } from '../llm/model.js';
import { createEndpointProvider } from '../llm/providers/endpoint.js';
import { createOpenAi } from '../llm/providers/openai.js';
import { createModels, type KeyNotes, type Models } from '../llm/routing/complete.js';
import { createGuard } from '../llm/routing/guard.js';
import {
  BUILT_IN_MODELS,
  ModelsFileError,
  readModelsFile,
  type ModelCatalog,
} from '../llm/routing/models-file.js';
import { checkDefaultModel, readClockDay } from '../llm/routing/model-catalog.js';
import { listRetirements } from '../llm/routing/retirement.js';
import { createSimulated } from '../llm/providers/simulated/simulated.js';
import { traceProvider, type TracedOptions } from '../llm/providers/traced.js';
import type { Logger } from '../telemetry/logger.js';
import { createModelMetrics, watchRetirements } from '../telemetry/model-metrics.js';

export interface ComposedModels {
  readonly models: Models;
  readonly ledger: Ledger;
  readonly providers: Readonly<Record<ProviderName, Provider>>;
  readonly keyCache: KeyCache;
  /** Names of models that the user's designs may use, as designs write them. */
  listOffers(userId: UserId): Promise<readonly string[]>;
}

export interface ComposeModelsDeps {
  readonly config: Config['models'];
  readonly catalog: ModelCatalog;
  readonly db: Db;
  readonly redis: Redis;
  readonly secretCipher: SecretCipher;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly traced: TracedOptions;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
  /** Lets every process forget the user's opened keys. */
  keyChanged(userId: UserId): void;
}

const KEY_REFUSED = 'the server refuses the key';

const SIMULATED_KEY: PayingKey = { provider: 'simulated', apiKey: '', keyId: null };

/** Our models and prices, with the operator's over them. @throws ConfigError */
export function readModelCatalog({ modelsFile }: Config['models']): ModelCatalog {
  if (modelsFile === null) {
    return BUILT_IN_MODELS;
  }
  try {
    return readModelsFile(modelsFile);
  } catch (cause) {
    throw cause instanceof ModelsFileError
      ? new ConfigError(`MODELS_FILE ${cause.message}.`, { cause })
      : cause;
  }
}

export function composeModels(deps: ComposeModelsDeps): ComposedModels {
  const { config, catalog, db, logger } = deps;
  const metrics = createModelMetrics(deps.registry);
  const { baseUrls } = config;
  const providers: ComposedModels['providers'] = {
    openai: traceProvider(createOpenAi({ baseUrl: baseUrls.openai }), deps.traced),
    anthropic: traceProvider(createAnthropic({ baseUrl: baseUrls.anthropic }), deps.traced),
    google: traceProvider(createGoogle({ baseUrl: baseUrls.google }), deps.traced),
    endpoint: traceProvider(
      createEndpointProvider({ allowed: config.endpointAllowed }),
      deps.traced,
    ),
    simulated: traceProvider(createSimulated(), deps.traced),
  };
  warnOfModels(deps);
  const { serverKeyDailyUsd } = config;
  const ledger = createLedger(db, () => new Date(), { serverKeyDailyUsd });
  const keyCache = createKeyCache({ load: (userId) => loadKeys(deps, userId) });
  const { redis, stopping } = deps;
  const models = createModels({
    providers,
    catalog,
    settings: config,
    guard: createGuard({ redis, callsPerKey: config.callsPerKey, metrics, logger }),
    ledger,
    findKeys: ({ userId }, request) => findKeys(deps, keyCache, userId, request),
    keyNotes: createKeyNotes(deps),
    metrics,
    logger,
    stopping,
  });
  const listOffers = (userId: UserId) => offerModels(deps, keyCache, userId);
  return { models, ledger, providers, keyCache, listOffers };
}

/** Says at start which models cannot serve, or not for long, and keeps the metric of it. */
function warnOfModels({ config, catalog, logger, registry }: ComposeModelsDeps): void {
  const warning = checkDefaultModel(catalog, config);
  if (warning !== null) {
    logger.warn(warning);
  }
  const list = () => listRetirements(catalog, config.defaultModel, readClockDay());
  const soon = list();
  if (soon.length > 0) {
    logger.warn('models retire soon', { models: soon });
  }
  watchRetirements(registry, list);
}

/** Kept beside the call: a store that is away must not fail it. */
function createKeyNotes({ db, logger, keyChanged }: ComposeModelsDeps): KeyNotes {
  async function refuse({ keyId, nonce }: PayingKey, userId: UserId): Promise<void> {
    if (keyId !== null && nonce !== undefined && (await recordRefusal(db, { keyId, nonce }))) {
      logger.warn('llm key refused by its vendor', { userId, keyId });
      keyChanged(userId);
    }
  }

  const report = (keyId: string | null) => (error: unknown) => {
    logger.warn('llm key not noted', { keyId, error });
  };
  return {
    used({ keyId }) {
      if (keyId !== null) {
        markKeyUsed(db, keyId).catch(report(keyId));
      }
    },
    refused(key, { userId }) {
      const { endpoint, keyId } = key;
      const noted =
        endpoint === undefined
          ? refuse(key, userId)
          : recordEndpointCheck(db, endpoint.id, { problem: KEY_REFUSED, isFinal: true });
      noted.catch(report(keyId));
    },
  };
}

/** Endpoints are read where one is named, or no vendor's key pays: other calls need not wait for it. */
async function findKeys(
  deps: ComposeModelsDeps,
  keyCache: KeyCache,
  userId: UserId,
  { simulated, wantedModel }: Pick<ModelRequest, 'simulated' | 'wantedModel'>,
): Promise<readonly PayingKey[]> {
  if (simulated) {
    return [SIMULATED_KEY];
  }
  const ofVendors = await keyCache.find(userId);
  return ofVendors.length > 0 && parseEndpointModel(wantedModel ?? '') === null
    ? ofVendors
    : [...ofVendors, ...(await loadEndpoints(deps, userId))];
}

async function loadEndpoints(
  { db, secretCipher }: ComposeModelsDeps,
  userId: UserId,
): Promise<readonly PayingKey[]> {
  const opened = await openEndpoints(db, secretCipher, userId);
  return opened.map(({ endpoint, apiKey }) => ({
    ...{ provider: 'endpoint', apiKey, keyId: null, endpoint },
  }));
}

/** The models of the vendors' classes, and those of endpoints. */
async function offerModels(
  deps: ComposeModelsDeps,
  keyCache: KeyCache,
  userId: UserId,
): Promise<readonly string[]> {
  const [keys, endpoints] = await Promise.all([
    keyCache.find(userId).catch(withoutUnreadable),
    loadEndpoints(deps, userId),
  ]);
  const ofVendors = keys
    .map(({ provider }) => provider)
    .filter(isVendor)
    .flatMap((vendor) => Object.values(deps.catalog.classes[vendor]));
  const ofEndpoints = endpoints.flatMap(({ endpoint }) =>
    endpoint === undefined
      ? []
      : endpoint.models.map((model) => nameEndpointModel(endpoint, model)),
  );
  const offers = [...new Set([...ofVendors, ...ofEndpoints])];
  const all = VENDORS.flatMap((vendor) => Object.values(deps.catalog.classes[vendor]));
  return (offers.length > 0 ? offers : [...new Set(all)]).slice(0, MAX_OFFERS);
}

/** The call itself says so: an offer need not. */
function withoutUnreadable(error: unknown): readonly PayingKey[] {
  if (error instanceof DomainError) {
    return [];
  }
  throw error;
}

/** A prompt names no more. */
const MAX_OFFERS = 30;

/** The user's own keys, else the server's. Opened here, in the process that calls. */
async function loadKeys(deps: ComposeModelsDeps, userId: UserId): Promise<readonly PayingKey[]> {
  const own = await openKeys(deps.db, deps.secretCipher, userId);
  if (own.length > 0) {
    return own.map(({ id, provider, apiKey, nonce }) => ({ provider, apiKey, keyId: id, nonce }));
  }
  const { serverKeys } = deps.config;
  return VENDORS.flatMap((provider) => {
    const apiKey = serverKeys[provider];
    return apiKey === undefined ? [] : [{ provider, apiKey, keyId: null }];
  });
}
