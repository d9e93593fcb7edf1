/**
 * Every variable of the API and the worker: its form, its default, what it does and which of the two
 * reads it. `npm run docs:generate` makes docs/configuration.md and `.env.example` from it.
 */
import { z } from 'zod';
import { VENDORS } from '../domain/agents/models.js';
import { LIMITS } from '../domain/account/permissions.js';
import {
  addressList,
  allowedAddresses,
  collectorSecret,
  count,
  flag,
  logLevel,
  optional,
  port,
  providerNames,
  publicKey,
  publicKeys,
  readByApi,
  readByBoth,
  readByWorker,
  requestsPerMinute,
  usd,
} from './environment.js';
import { TracesEnvironment } from './traces-config.js';
import { WatchdogEnvironment } from './watchdog-config.js';

/** Longer than any connection should last, and less than what a timer can wait. */
const DAY_SECONDS = 86_400;
/** A timer of Node that is to wait longer than 2^31 ms is over at once. */
const LONGEST_SECONDS = 2_000_000;
/** A century: a date that is further away may be none. */
const LONGEST_DAYS = 36_500;
const days = count.max(LONGEST_DAYS);
const name = z.string().min(1);
const positive = z.coerce.number().positive();

/** Retired by its vendor: its class's model serves. Source: contract, security (environment). */
export const BUILT_IN_DEFAULT_MODEL = 'claude-sonnet-5';

export const ConnectionsEnvironment = z.object({
  DATABASE_URL: readByBoth(
    name.meta({ example: 'postgresql://user:password@localhost:5432/agentforge' }),
    'PostgreSQL; `postgresql+asyncpg://` is accepted. `npm start` starts one where it is not set.',
  ),
  DB_POOL_SIZE: readByBoth(
    z.coerce.number().int().min(1).default(5),
    'Connections to PostgreSQL of each process, together with `DB_MAX_OVERFLOW`.',
  ),
  DB_MAX_OVERFLOW: readByBoth(count.default(10), 'Added to `DB_POOL_SIZE`.'),
  REDIS_URL: readByBoth(
    name.meta({ example: 'redis://localhost:6379/0' }),
    'Redis. `npm start` starts one where it is not set.',
  ),
  TEMPORAL_ADDRESS: readByBoth(
    name.meta({ example: 'localhost:7233' }),
    'Host and port of Temporal’s frontend. `npm start` starts one where it is not set.',
  ),
  TEMPORAL_NAMESPACE: readByBoth(name.default('default'), 'Temporal namespace.'),
  TEMPORAL_TASK_QUEUE: readByBoth(
    name.default('agentforge'),
    'Task queue on which the API and the workers meet.',
  ),
  TEMPORAL_TLS: readByBoth(
    flag.default(false),
    'TLS to Temporal. An API key or a client certificate turns it on, too.',
  ),
  TEMPORAL_TLS_SERVER_NAME: readByBoth(optional, 'Server name that Temporal’s certificate proves.'),
  TEMPORAL_TLS_CA: readByBoth(optional, 'Path of a PEM file: the authority of Temporal’s server.'),
  TEMPORAL_TLS_CERT: readByBoth(optional, 'Path of a PEM file: our client certificate.'),
  TEMPORAL_TLS_KEY: readByBoth(optional, 'Path of a PEM file: the key of our client certificate.'),
  TEMPORAL_API_KEY: readByBoth(optional, 'API key of Temporal Cloud.'),
  DATA_COLLECTOR_URL: readByWorker(
    name.default('http://data-collector:8001'),
    'Base address of the data collector. `npm start` starts one where it is not set. While it is away, collecting agents plan with a model.',
  ),
});

export const ApiEnvironment = z.object({
  HOST: readByBoth(name.default('127.0.0.1'), 'Address that the API and the worker listen on.'),
  PORT: readByApi(port.default(8000), 'Port of the API.'),
  METRICS_PORT: readByApi(
    port.optional().meta({ example: '9463' }),
    'Port on which the API shows its metrics to other machines; keep it off the public network. Unset: `PORT` answers `/metrics` to its own machine only.',
  ),
  WORKER_METRICS_URL: readByApi(
    optional.meta({ example: 'http://127.0.0.1:9464/metrics' }),
    'Worker metrics that the API’s `/metrics` includes. `npm start` sets it.',
  ),
  CORS_ORIGINS: readByApi(
    z
      .string()
      .default('http://localhost:3000')
      .meta({ form: 'JSON list or comma-separated list', example: '["http://localhost:3000"]' }),
    'Origins of web pages that may call the API.',
  ),
  ALLOWED_HOSTS: readByApi(
    z
      .string()
      .default('')
      .meta({ form: 'JSON list or comma-separated list', example: 'agentforge.example.com' }),
    'Names in the `Host` header under which the API answers; others get 421. Unset: on loopback with no trusted proxy, loopback names only, so that no web page reaches the API through a name of its own (DNS rebinding); elsewhere all names.',
  ),
  TRUSTED_PROXY_COUNT: readByApi(
    count.default(0),
    'Proxies in front of the API whose `X-Forwarded-For` is believed (docs/production.md).',
  ),
  REGISTRATION: readByApi(
    z.enum(['open', 'approval', 'closed']).default('open'),
    'Who may sign up. `approval`: an account starts nothing until an administrator approves it (`POST /api/v1/admin/users/{id}/approve`). `closed`: no sign-ups.',
  ),
  TEMPORAL_UI_UPSTREAM: readByApi(
    optional.meta({ example: 'http://temporal-ui:8080' }),
    'Temporal’s Web UI, which has no sign-in of its own. The API shows it at `TEMPORAL_UI_PORT` to administrators (docs/operators.md). Unset: not shown. `npm start` sets it.',
  ),
  TEMPORAL_UI_PORT: readByApi(port.default(8233), 'Port at which the API shows the Web UI.'),
  TEMPORAL_UI_ORIGINS: readByApi(
    z.string().default('').meta({
      form: 'JSON list or comma-separated list',
      example: 'https://temporal.example.com',
    }),
    'Other origins of the Web UI, as browsers see them, beside `http://localhost:8233` and the like; and origins of a Web UI of yours that may have payloads decoded.',
  ),
  EVENT_STREAM_SECONDS: readByApi(
    z.coerce.number().int().min(1).max(DAY_SECONDS).default(600),
    'An event stream of a run ends after this long. Its client reconnects and is authorised again.',
  ),
  WS_LEASE_SECONDS: readByApi(
    z.coerce.number().int().min(1).max(LONGEST_SECONDS).default(30),
    'A socket counts as connected for this long after its process was killed.',
  ),
});

export const WorkerEnvironment = z.object({
  WORKER_METRICS_PORT: readByWorker(
    port.default(9464),
    'Port of a worker’s own pages: `/metrics`, `/health`, `/readyz`.',
  ),
  WORKER_SDK_METRICS_PORT: readByWorker(
    port.optional().meta({ example: '9465' }),
    'Port on which a worker shows the metrics of Temporal’s SDK (slots, polls, replays). Unset: nowhere.',
  ),
  WORKER_MAX_CACHED_WORKFLOWS: readByWorker(
    count.default(600),
    'Workflows that a worker keeps in memory.',
  ),
  WORKER_MAX_ACTIVITIES: readByWorker(
    z.coerce.number().int().min(1).default(100),
    'Activities that a worker runs at once. More of them wait, fairly by user.',
  ),
  WORKER_CALL_STACKS: readByWorker(
    flag.default(false),
    'The Temporal Web UI shows where in its code a workflow waits. It costs processor time (docs/performance.md).',
  ),
  TEMPORAL_DEPLOYMENT_NAME: readByWorker(
    optional,
    'Name of the worker deployment, where workers of several versions run side by side (docs/production.md). Set it with `TEMPORAL_WORKER_BUILD_ID`, or set neither.',
  ),
  TEMPORAL_WORKER_BUILD_ID: readByWorker(optional, 'Version of the worker in that deployment.'),
});

export const ProcessEnvironment = z.object({
  LOG_LEVEL: logLevel,
  ...WatchdogEnvironment.shape,
  DEBUG: readByBoth(
    flag.default(false),
    'Development only: weak secrets are accepted, and pages may connect to any local port.',
  ),
});

export const SecretsEnvironment = z.object({
  SECRET_KEY: readByApi(
    optional,
    'Signs tokens. At least 32 random bytes: `openssl rand -hex 32`. `npm start` makes one.',
  ),
  ENCRYPTION_KEY: readByBoth(
    optional,
    'Seals vendor keys and workflow payloads. 32 bytes in base64: `openssl rand -base64 32`. `npm start` makes one.',
  ),
  ENCRYPTION_KEY_PREVIOUS: readByBoth(
    optional.meta({ form: 'comma-separated list' }),
    'Older encryption keys, newest first. They only open what they sealed.',
  ),
  AUDIT_SIGNING_KEY: readByWorker(
    optional,
    'Signs archives of runs (docs/audit.md). 32 bytes in base64: `openssl rand -base64 32`. Keep a copy. `npm start` makes one.',
  ),
  AUDIT_PUBLIC_KEY: readByApi(
    publicKey.meta({ form: '64 hexadecimal digits' }),
    'Public half of `AUDIT_SIGNING_KEY`, so that the API needs no signing key. `npm start` and deploy/compose/secrets.sh set it.',
  ),
  AUDIT_KEYS_PREVIOUS: readByApi(
    publicKeys.meta({ form: 'comma-separated list' }),
    'Public keys of earlier signing keys, which `GET /api/v1/audit/keys` still publishes.',
  ),
  JWT_ALGORITHM: readByApi(
    z.enum(['HS256', 'HS384', 'HS512']).default('HS256'),
    'Algorithm that signs tokens.',
  ),
  JWT_ACCESS_TOKEN_EXPIRE_MINUTES: readByApi(positive.default(30), 'Lifetime of an access token.'),
  JWT_REFRESH_TOKEN_EXPIRE_DAYS: readByApi(
    positive.max(LONGEST_DAYS).default(7),
    'Lifetime of a refresh token.',
  ),
});

export const ModelsEnvironment = z.object({
  OPENAI_API_KEY: readByWorker(optional, 'The server’s key, for users who have registered none.'),
  ANTHROPIC_API_KEY: readByWorker(
    optional,
    'The server’s key, for users who have registered none.',
  ),
  GOOGLE_API_KEY: readByWorker(optional, 'The server’s key, for users who have registered none.'),
  SERVER_MODEL_KEYS: readByApi(
    providerNames.meta({ form: 'comma-separated list', example: 'openai,google' }),
    'Vendors of which the workers have a server key, for an API that is not given the keys. `npm start` and docker-compose.yml set it.',
  ),
  SERVER_KEYS_DAILY_USD: readByBoth(
    usd.optional().meta({ form: 'US dollars', example: '25' }),
    'What each server key may cost a UTC day, all users together. Unset: no limit. Every account spends from these keys: set it wherever strangers may sign up.',
  ),
  SIMULATED_MODELS: readByBoth(
    flag.default(false),
    'Simulated models answer where a user has no key and the server has none. They say so in every text. `npm start` turns it on.',
  ),
  MODEL_CALLS_PER_KEY: readByWorker(
    z.coerce.number().int().min(1).default(8),
    'Calls of one vendor key under way at once, over all workers. More of them wait. The server’s own keys may need a higher limit, since they serve all users who have none.',
  ),
  MODEL_CALL_TIMEOUT_SECONDS: readByWorker(
    positive.max(LONGEST_SECONDS).default(120),
    'Time limit of one vendor call; in a discussion at most a minute.',
  ),
  DEFAULT_LLM_PROVIDER: readByWorker(
    z.enum(VENDORS).default('anthropic'),
    'Vendor that is asked first where a design names none.',
  ),
  DEFAULT_LLM_MODEL: readByWorker(
    name.default(BUILT_IN_DEFAULT_MODEL),
    'Model for names that no vendor has. A retired name means the model of its class.',
  ),
  MODEL_ENDPOINT_ALLOW_ADDRESSES: readByBoth(
    addressList,
    'Private addresses, networks or names, each with or without a port, that model endpoints of users may lead to: `127.0.0.1:11434`. Each user reaches them with requests of their own. Others are refused, as are redirects.',
  ),
  MODELS_FILE: readByWorker(
    optional,
    'Models, prices and retirement days of your own, over the built-in ones, in the form of llm/models.json. The worker names a mistake in it and does not start.',
  ),
  OPENAI_BASE_URL: readByWorker(
    optional,
    'Another server that speaks OpenAI’s protocol; with `/v1`.',
  ),
  ANTHROPIC_BASE_URL: readByWorker(
    optional,
    'Another server that speaks Anthropic’s protocol; without version.',
  ),
  GOOGLE_GEMINI_BASE_URL: readByWorker(
    optional,
    'Another server that speaks Gemini’s protocol; without version.',
  ),
});

export const CollectingEnvironment = z.object({
  COLLECTOR_SECRET: collectorSecret,
  COLLECTOR_ALLOW_ADDRESSES: allowedAddresses,
});

export const LimitsEnvironment = z.object({
  PASSWORD_COST: readByApi(
    z.coerce.number().int().min(10).max(16).default(12),
    'bcrypt cost of a password. One more takes twice the time.',
  ),
  AUTH_RATE_LIMIT: readByApi(
    count.default(5),
    'Sign-ups and sign-ins of one client address in `AUTH_RATE_WINDOW_SECONDS`.',
  ),
  AUTH_RATE_WINDOW_SECONDS: readByApi(
    z.coerce.number().int().min(1).default(900),
    'Window of `AUTH_RATE_LIMIT`.',
  ),
  RATE_LIMIT_FREE: readByApi(
    requestsPerMinute.default(LIMITS.free.maxRequestsPerMinute),
    'Requests per minute of a user with the role `free`; `-1` is unlimited.',
  ),
  RATE_LIMIT_PRO: readByApi(
    requestsPerMinute.default(LIMITS.pro.maxRequestsPerMinute),
    'Requests per minute of a user with the role `pro`; `-1` is unlimited.',
  ),
  PIPELINE_TIMEOUT_SECONDS: readByBoth(
    positive.max(LONGEST_SECONDS).default(300),
    'Time limit of a run. The time that it waits for an approval, a budget or a resume does not count.',
  ),
  DISCUSSION_IDLE_SECONDS: readByBoth(
    positive.default(86_400),
    'A discussion without messages for this long ends its workflow; the next message starts it again from PostgreSQL.',
  ),
  DISCUSSION_MAX_HISTORY_EVENTS: readByBoth(
    z.coerce.number().int().min(10).default(200),
    'A discussion with a longer workflow history continues as new.',
  ),
});

export const RetentionEnvironment = z.object({
  RETENTION_EVENTS_DAYS: readByWorker(
    days.default(90),
    'Days that events of conversations and runs are kept.',
  ),
  RETENTION_RUNS_DAYS: readByWorker(
    days.default(365),
    'Days that a run is kept after its end, with all that its agents made. A removed run cannot be run again.',
  ),
  RETENTION_CONVERSATIONS_DAYS: readByWorker(
    days.default(0),
    'Days that a conversation is kept after its last message, with its messages and runs.',
  ),
  RETENTION_LEDGER_DAYS: readByWorker(
    days.default(0),
    'Days that the cost ledger is kept, by UTC day.',
  ),
});

export const Environment = z.object({
  ...ConnectionsEnvironment.shape,
  ...ApiEnvironment.shape,
  ...WorkerEnvironment.shape,
  ...ProcessEnvironment.shape,
  ...SecretsEnvironment.shape,
  ...ModelsEnvironment.shape,
  ...CollectingEnvironment.shape,
  ...LimitsEnvironment.shape,
  ...RetentionEnvironment.shape,
  ...TracesEnvironment.shape,
});
