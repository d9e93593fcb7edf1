import type { Embedded } from '../embedded/embedded.js';
import { loadSecrets } from '../embedded/secrets.js';
import { collectorUrl, type App } from './app-processes.js';
import type { StartSettings } from './settings.js';

/** What our processes are told: what the user has set wins, the rest is ours. */
export function environmentOf(
  settings: StartSettings,
  embedded: Pick<Embedded, 'databaseUrl' | 'redisUrl' | 'temporalAddress' | 'temporalUiUrl'>,
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
    TEMPORAL_ADDRESS: embedded.temporalAddress ?? '',
    DATA_COLLECTOR_URL: collectorUrl(settings) ?? '',
    TEMPORAL_UI_PORT: String(settings.TEMPORAL_UI_PORT),
    TEMPORAL_UI_UPSTREAM: embedded.temporalUiUrl ?? '',
    COLLECTOR_SECRET: collectorUrl(settings) === null ? '' : secrets.collectorSecret,
    ...settings.env,
  };
}

const FOR_THE_COLLECTOR =
  /^(?:PATH|HOME|TZ|LANG|LC_\w+|NODE_\w+|SSL_CERT_\w+|LOG_LEVEL|REDIS_URL|(?:COLLECTOR|WATCHDOG)_\w+)$/;

/** Whoever reads strangers' pages is told no secret that it could tell them. */
export function environmentFor(app: App, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return app === 'collector'
    ? Object.fromEntries(Object.entries(env).filter(([name]) => FOR_THE_COLLECTOR.test(name)))
    : env;
}
