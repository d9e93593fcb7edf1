import { z } from 'zod';
import { flag, optional, readByBoth } from './environment.js';

/** What concerns traces, under the names that OpenTelemetry gives these settings. */
export const TracesEnvironment = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: readByBoth(
    z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({ example: 'http://localhost:4318' }),
    'OTLP/HTTP receiver of traces (docs/tracing.md). Unset: no traces. The SDK reads its other `OTEL_*` settings, too: sampler, headers, resource.',
  ),
  OTEL_SERVICE_NAME: readByBoth(
    optional,
    'Name of the service in traces. Unset: `agentforge-api` and `agentforge-worker`.',
  ),
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: readByBoth(
    flag.default(false),
    'Prompts and replies become part of the traces: texts of users, pages and models.',
  ),
});

export interface TracesConfig {
  /** Base address of an OTLP/HTTP receiver; null: no traces. */
  readonly endpoint: string | null;
  /** null: named by the process */
  readonly serviceName: string | null;
  /** Whether prompts and answers are part of the spans. */
  readonly captureContent: boolean;
}

export function tracesOf(env: z.infer<typeof TracesEnvironment>): TracesConfig {
  return {
    endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    serviceName: env.OTEL_SERVICE_NAME ?? null,
    captureContent: env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
  };
}
