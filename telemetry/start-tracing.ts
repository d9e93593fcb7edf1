import type { Logger } from './logger.js';
import { silentTracing, type Tracing } from './tracing.js';

export interface TracingOptions {
  /** Base address of an OTLP/HTTP receiver; null: no traces, and nothing of the SDK is loaded. */
  readonly endpoint: string | null;
  /** null: `agentforge-` and the process */
  readonly serviceName: string | null;
  readonly process: 'api' | 'worker';
  readonly logger: Logger;
}

export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { endpoint, serviceName, process, logger } = options;
  if (endpoint === null) {
    return silentTracing;
  }
  const { createOtlpTracing } = await import('./otlp-tracing.js');
  return createOtlpTracing({
    endpoint,
    serviceName: serviceName ?? `agentforge-${process}`,
    logger,
  });
}
