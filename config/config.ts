/**
 * The environment of the API and the worker, read once per process into one frozen `Config`;
 * `settings.ts` declares and describes every variable.
 */
import type { z } from 'zod';
import type { AllowedAddress } from '../domain/security/allowed-addresses.js';
import { VENDORS, type Vendor } from '../domain/agents/models.js';
import { LIMITS, type Role } from '../domain/account/permissions.js';
import type { RetentionAges } from '../domain/account/retention.js';
import { parseEnvironment, readEnvironment } from './environment.js';
import { originsOf, temporalUiOf } from './origins.js';
import { isVariableOf } from './process-variables.js';
import { auditKeyOf, encryptionKeysOf, publishedKeyOf, secretKeyOf } from './secrets.js';
import { temporalOf, type TemporalConfig } from './temporal-config.js';
import { Environment } from './settings.js';
import { tracesOf, type TracesConfig } from './traces-config.js';
import { watchdogOf, type WatchdogConfig } from './watchdog-config.js';

export { ConfigError } from './environment.js';
export { BUILT_IN_DEFAULT_MODEL } from './settings.js';
export type { TemporalConfig } from './temporal-config.js';

export interface Config {
  readonly databaseUrl: string;
  /** Connections per process: `DB_POOL_SIZE` + `DB_MAX_OVERFLOW`. */
  readonly databasePoolSize: number;
  readonly redisUrl: string;
  readonly temporal: TemporalConfig;
  readonly host: string;
  /** Whether anybody may register, and whether an administrator has to approve. */
  readonly registration: 'open' | 'approval' | 'closed';
  /** Names in `Host` that are served; none: on loopback its own ones, else all. */
  readonly allowedHosts: readonly string[];
  readonly port: number;
  /** Where the API shows its metrics to other machines; null: nowhere. */
  readonly metricsPort: number | null;
  readonly workerMetricsPort: number;
  /** Where the API finds a worker's page to show both on one; set by `npm start`. */
  readonly workerMetricsUrl: string | null;
  /** Where the SDK shows what it measures itself; null: nowhere. */
  readonly sdkMetricsPort: number | null;
  readonly maxCachedWorkflows: number;
  /** How many agents and other calls a worker works on at once. */
  readonly maxActivities: number;
  /** Whether workflows that wait show the Web UI where in their code. */
  readonly callStacks: boolean;
  /** Signs JSON web tokens. */
  readonly secretKey: string;
  /** 32 bytes each, newest first; the first one seals, all of them open. */
  readonly encryptionKeys: readonly Buffer[];
  readonly audit: {
    /** Signs archives: the 32 bytes of an Ed25519 key. */
    readonly signingKey: Buffer;
    /** Its public half, 32 bytes; null: to be made of the signing key. */
    readonly publicKey: Buffer | null;
    /** Public keys that signed earlier ones, 32 bytes each, to be published still. */
    readonly previousKeys: readonly Buffer[];
  };
  readonly debug: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly corsOrigins: readonly string[];
  /** Pages of these may have payloads decoded, for administrators. */
  readonly temporalUiOrigins: readonly string[];
  /** The Web UI that the API shows to administrators, and where; null: none. */
  readonly temporalUi: { readonly upstream: string; readonly port: number } | null;
  readonly trustedProxyCount: number;
  /** bcrypt's: one more takes twice the time. Source of the default: contract, security §2. */
  readonly passwordCost: number;
  readonly authRateLimit: number;
  readonly authRateWindowSeconds: number;
  /** Requests per minute and user; -1: unlimited. */
  readonly rateLimits: Readonly<Record<Role, number>>;
  readonly jwt: {
    readonly algorithm: 'HS256' | 'HS384' | 'HS512';
    readonly accessMinutes: number;
    readonly refreshDays: number;
  };
  readonly models: ModelsConfig;
  readonly collectorUrl: string;
  /** What the collector asks its callers for; null: nothing. */
  readonly collectorSecret: string | null;
  /** Private hosts that collectors may read nevertheless. */
  readonly collectorAllowed: readonly AllowedAddress[];
  readonly pipelineTimeoutMs: number;
  /** Longest single call of a vendor. */
  readonly modelCallTimeoutMs: number;
  /** A discussion ends after this long without a message; the next one revives it. */
  readonly discussionIdleMs: number;
  /** A discussion continues as new, between turns, beyond this many events. */
  readonly discussionMaxHistoryEvents: number;
  readonly wsLeaseSeconds: number;
  /** After this long a run's event stream ends, and its client reconnects. */
  readonly eventStreamMs: number;
  readonly retention: RetentionAges;
  readonly traces: TracesConfig;
  readonly watchdog: WatchdogConfig;
}

/** The API shows public keys; it signs no archives. */
export interface ApiConfig extends Omit<Config, 'audit'> {
  readonly audit: Omit<Config['audit'], 'signingKey'> & { readonly signingKey: Buffer | null };
}

/** The worker makes no tokens. */
export type WorkerConfig = Omit<Config, 'secretKey'>;

export interface ModelsConfig {
  readonly serverKeys: Readonly<Partial<Record<Vendor, string>>>;
  /** Whether there are such keys, here or, as the API knows from a setting, at the workers. */
  readonly hasServerKeys: boolean;
  /** The vendors that they are of. */
  readonly serverKeyVendors: readonly Vendor[];
  readonly baseUrls: Readonly<Partial<Record<Vendor, string>>>;
  readonly defaultProvider: Vendor;
  readonly defaultModel: string;
  readonly simulated: boolean;
  /** What each server key may cost a UTC day, all users together, an exact decimal; null: no limit. */
  readonly serverKeyDailyUsd: string | null;
  /** Calls of one vendor key in flight at the same time, over all workers. */
  readonly callsPerKey: number;
  /** Private addresses that model endpoints of users may lead to. */
  readonly endpointAllowed: readonly AllowedAddress[];
  /** Models and prices over the built-in ones; null: those alone. */
  readonly modelsFile: string | null;
}

/** The names of all settings of the API and the worker. */
export const SETTINGS: readonly string[] = Object.keys(Environment.shape);

/** All of it, for commands of operators and for tests. @throws ConfigError */
export function loadConfig(env: NodeJS.ProcessEnv = readEnvironment(() => true)): Config {
  const parsed = parseEnvironment(Environment, env);
  const { audit, ...shared } = sharedOf(parsed);
  const signingKey = auditKeyOf(parsed);
  return Object.freeze({
    ...shared,
    secretKey: secretKeyOf(parsed),
    audit: { ...audit, signingKey },
  });
}

/** Reads `.env` (never overriding what is set) and the environment. @throws ConfigError */
export function loadApiConfig(
  env: NodeJS.ProcessEnv = readEnvironment((name) => isVariableOf('api', name, SETTINGS)),
): ApiConfig {
  const parsed = parseEnvironment(Environment, env);
  const { audit, ...shared } = sharedOf(parsed);
  return Object.freeze({
    ...shared,
    secretKey: secretKeyOf(parsed),
    audit: { ...audit, ...publishedKeyOf(parsed) },
  });
}

/** Reads `.env` (never overriding what is set) and the environment. @throws ConfigError */
export function loadWorkerConfig(
  env: NodeJS.ProcessEnv = readEnvironment((name) => isVariableOf('worker', name, SETTINGS)),
): WorkerConfig {
  const parsed = parseEnvironment(Environment, env);
  const { audit, ...shared } = sharedOf(parsed);
  return Object.freeze({ ...shared, audit: { ...audit, signingKey: auditKeyOf(parsed) } });
}

function sharedOf(env: z.infer<typeof Environment>) {
  return {
    databaseUrl: env.DATABASE_URL,
    databasePoolSize: env.DB_POOL_SIZE + env.DB_MAX_OVERFLOW,
    redisUrl: env.REDIS_URL,
    temporal: temporalOf(env),
    host: env.HOST,
    registration: env.REGISTRATION,
    allowedHosts: originsOf('ALLOWED_HOSTS', env.ALLOWED_HOSTS).filter((name) => name !== ''),
    port: env.PORT,
    metricsPort: env.METRICS_PORT ?? null,
    workerMetricsPort: env.WORKER_METRICS_PORT,
    workerMetricsUrl: env.WORKER_METRICS_URL ?? null,
    sdkMetricsPort: env.WORKER_SDK_METRICS_PORT ?? null,
    maxCachedWorkflows: env.WORKER_MAX_CACHED_WORKFLOWS,
    maxActivities: env.WORKER_MAX_ACTIVITIES,
    callStacks: env.WORKER_CALL_STACKS,
    encryptionKeys: encryptionKeysOf(env),
    audit: { publicKey: env.AUDIT_PUBLIC_KEY ?? null, previousKeys: env.AUDIT_KEYS_PREVIOUS },
    debug: env.DEBUG,
    logLevel: env.LOG_LEVEL,
    corsOrigins: originsOf('CORS_ORIGINS', env.CORS_ORIGINS),
    ...temporalUiOf(env),
    trustedProxyCount: env.TRUSTED_PROXY_COUNT,
    passwordCost: env.PASSWORD_COST,
    authRateLimit: env.AUTH_RATE_LIMIT,
    authRateWindowSeconds: env.AUTH_RATE_WINDOW_SECONDS,
    rateLimits: {
      free: env.RATE_LIMIT_FREE,
      pro: env.RATE_LIMIT_PRO,
      admin: LIMITS.admin.maxRequestsPerMinute,
    },
    jwt: {
      algorithm: env.JWT_ALGORITHM,
      accessMinutes: env.JWT_ACCESS_TOKEN_EXPIRE_MINUTES,
      refreshDays: env.JWT_REFRESH_TOKEN_EXPIRE_DAYS,
    },
    models: modelsOf(env),
    collectorUrl: env.DATA_COLLECTOR_URL,
    collectorSecret: env.COLLECTOR_SECRET ?? null,
    collectorAllowed: env.COLLECTOR_ALLOW_ADDRESSES,
    pipelineTimeoutMs: env.PIPELINE_TIMEOUT_SECONDS * 1_000,
    modelCallTimeoutMs: env.MODEL_CALL_TIMEOUT_SECONDS * 1_000,
    discussionIdleMs: env.DISCUSSION_IDLE_SECONDS * 1_000,
    discussionMaxHistoryEvents: env.DISCUSSION_MAX_HISTORY_EVENTS,
    wsLeaseSeconds: env.WS_LEASE_SECONDS,
    eventStreamMs: env.EVENT_STREAM_SECONDS * 1_000,
    traces: tracesOf(env),
    watchdog: watchdogOf(env),
    retention: {
      eventsDays: env.RETENTION_EVENTS_DAYS,
      runsDays: env.RETENTION_RUNS_DAYS,
      conversationsDays: env.RETENTION_CONVERSATIONS_DAYS,
      ledgerDays: env.RETENTION_LEDGER_DAYS,
    },
  };
}

function modelsOf(env: z.infer<typeof Environment>): ModelsConfig {
  const serverKeys = present<Vendor>({
    openai: env.OPENAI_API_KEY,
    anthropic: env.ANTHROPIC_API_KEY,
    google: env.GOOGLE_API_KEY,
  });
  const serverKeyVendors = VENDORS.filter(
    (name) => env.SERVER_MODEL_KEYS.includes(name) || serverKeys[name] !== undefined,
  );
  return {
    serverKeys,
    hasServerKeys: serverKeyVendors.length > 0,
    serverKeyVendors,
    baseUrls: present<Vendor>({
      openai: env.OPENAI_BASE_URL,
      anthropic: env.ANTHROPIC_BASE_URL,
      google: env.GOOGLE_GEMINI_BASE_URL,
    }),
    defaultProvider: env.DEFAULT_LLM_PROVIDER,
    defaultModel: env.DEFAULT_LLM_MODEL,
    serverKeyDailyUsd: env.SERVER_KEYS_DAILY_USD ?? null,
    simulated: env.SIMULATED_MODELS,
    callsPerKey: env.MODEL_CALLS_PER_KEY,
    endpointAllowed: env.MODEL_ENDPOINT_ALLOW_ADDRESSES,
    modelsFile: env.MODELS_FILE ?? null,
  };
}

function present<K extends string>(
  values: Record<K, string | undefined>,
): Partial<Record<K, string>> {
  const kept: Partial<Record<K, string>> = {};
  for (const key in values) {
    const value = values[key];
    if (value !== undefined && value !== '') {
      kept[key] = value;
    }
  }
  return kept;
}
