/** Where Temporal is, and how to speak to it. */
import { ConfigError } from './environment.js';

type Optional = string | undefined;

interface TemporalSettings {
  readonly TEMPORAL_ADDRESS: string;
  readonly TEMPORAL_NAMESPACE: string;
  readonly TEMPORAL_TASK_QUEUE: string;
  readonly TEMPORAL_TLS: boolean;
  readonly TEMPORAL_TLS_SERVER_NAME?: Optional;
  readonly TEMPORAL_TLS_CA?: Optional;
  readonly TEMPORAL_TLS_CERT?: Optional;
  readonly TEMPORAL_TLS_KEY?: Optional;
  readonly TEMPORAL_API_KEY?: Optional;
  readonly TEMPORAL_DEPLOYMENT_NAME?: Optional;
  readonly TEMPORAL_WORKER_BUILD_ID?: Optional;
}

export interface TemporalConfig {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly apiKey: string | null;
  /** null: a plain connection */
  readonly tls: {
    readonly serverName: string | null;
    /** Paths of PEM files. */
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
  /** Under which name and version this process's worker is known to Temporal; null: under none. */
  readonly workerVersion: { readonly deploymentName: string; readonly buildId: string } | null;
}

export function temporalOf(env: TemporalSettings): TemporalConfig {
  const usesTls = env.TEMPORAL_TLS || env.TEMPORAL_API_KEY != null || env.TEMPORAL_TLS_CERT != null;
  return {
    address: env.TEMPORAL_ADDRESS,
    namespace: env.TEMPORAL_NAMESPACE,
    taskQueue: env.TEMPORAL_TASK_QUEUE,
    apiKey: env.TEMPORAL_API_KEY ?? null,
    tls: usesTls
      ? {
          serverName: env.TEMPORAL_TLS_SERVER_NAME ?? null,
          ca: env.TEMPORAL_TLS_CA ?? null,
          cert: env.TEMPORAL_TLS_CERT ?? null,
          key: env.TEMPORAL_TLS_KEY ?? null,
        }
      : null,
    workerVersion: workerVersionOf(env),
  };
}

/** Both are set where several versions of workers are kept apart, e.g. by Temporal's controller. */
function workerVersionOf({
  TEMPORAL_DEPLOYMENT_NAME: deploymentName,
  TEMPORAL_WORKER_BUILD_ID: buildId,
}: TemporalSettings): TemporalConfig['workerVersion'] {
  if (deploymentName === undefined && buildId === undefined) {
    return null;
  }
  if (deploymentName === undefined || buildId === undefined) {
    throw new ConfigError(
      'Set both TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, or neither of them.',
    );
  }
  return { deploymentName, buildId };
}
