import { createSigner } from '../../audit/signing.js';
import { COLLECTOR_SETTINGS } from '../../config/collector-config.js';
import { SETTINGS } from '../../config/config.js';
import { variablesOf } from '../../config/process-variables.js';
import { auditKeyOf } from '../../config/secrets.js';
import type { Embedded } from '../embedded/embedded.js';
import { VENDORS } from '../../domain/agents/models.js';
import { loadSecrets } from '../embedded/secrets.js';
import { collectorUrl, type App } from './app-processes.js';
import type { StartSettings } from './settings.js';

/** The environment of our processes: what the user has set wins, the rest is ours. */
export function environmentOf(
  settings: StartSettings,
  embedded: Pick<
    Embedded,
    'databaseUrl' | 'redisUrl' | 'collectorRedisUrl' | 'temporalAddress' | 'temporalUiUrl'
  >,
): NodeJS.ProcessEnv {
  const secrets = loadSecrets(settings.home);
  const metricsPort = String(settings.WORKER_METRICS_PORT);
  return {
    SECRET_KEY: secrets.secretKey,
    ENCRYPTION_KEY: secrets.encryptionKey,
    AUDIT_SIGNING_KEY: secrets.auditSigningKey,
    SIMULATED_MODELS: 'true',
    WORKER_METRICS_PORT: metricsPort,
    WORKER_METRICS_URL: `http://127.0.0.1:${metricsPort}/metrics`,
    DATABASE_URL: embedded.databaseUrl ?? '',
    REDIS_URL: embedded.redisUrl ?? '',
    COLLECTOR_REDIS_URL: embedded.collectorRedisUrl ?? '',
    TEMPORAL_ADDRESS: embedded.temporalAddress ?? '',
    DATA_COLLECTOR_URL: collectorUrl(settings) ?? '',
    TEMPORAL_UI_PORT: String(settings.TEMPORAL_UI_PORT),
    TEMPORAL_UI_UPSTREAM: embedded.temporalUiUrl ?? '',
    COLLECTOR_SECRET: collectorUrl(settings) === null ? '' : secrets.collectorSecret,
    ...settings.env,
  };
}

/** The part of it that one process needs: no secret that another one uses. */
export function environmentFor(app: App, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  switch (app) {
    case 'collector': {
      const own = env['COLLECTOR_REDIS_URL'] || env['REDIS_URL'];
      return variablesOf(app, { ...env, REDIS_URL: own }, COLLECTOR_SETTINGS);
    }
    case 'worker':
      return variablesOf(app, env, SETTINGS);
    case 'api':
      return variablesOf(app, { ...aboutSecrets(env), ...env }, SETTINGS);
  }
}

/** What the API has to know of secrets that it is not given. */
function aboutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { publicKey } = createSigner(
    auditKeyOf({ DEBUG: false, AUDIT_SIGNING_KEY: env['AUDIT_SIGNING_KEY'] }),
  );
  return {
    AUDIT_PUBLIC_KEY: publicKey,
    SERVER_MODEL_KEYS: VENDORS.filter((name) => hasKey(name, env)).join(','),
  };
}

function hasKey(provider: string, env: NodeJS.ProcessEnv): boolean {
  return (env[`${provider.toUpperCase()}_API_KEY`] ?? '').trim() !== '';
}
