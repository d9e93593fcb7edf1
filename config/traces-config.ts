import { z } from 'zod';
import { flag, optional } from './environment.js';

/** What concerns traces, under the names that OpenTelemetry gives these settings. */
export const TracesEnvironment = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: optional,
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: flag.default(false),
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
