/** Spans as OpenTelemetry has them, sent over OTLP/HTTP in batches; loaded only where they are wanted. */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
  type AttributeValue,
  type Attributes as OtelAttributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { idAttributes, type SpanPlace } from '../domain/traces.js';
import { withoutTrailingSlashes } from '../domain/text/trailing-slashes.js';
import { currentSpan, inLogScope, logScope, outOfLogScope } from './log-scope.js';
import { maskText, type Logger } from './logger.js';
import {
  MASKED_ATTRIBUTES,
  NO_SPAN,
  errorTypeOf,
  type Attributes,
  type OpenSpan,
  type Tracing,
} from './tracing.js';

export interface OtlpOptions {
  /** Base address of an OTLP/HTTP receiver; `/v1/traces` is added. */
  readonly endpoint: string;
  /** Of these spans, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names another. */
  readonly serviceName: string;
  readonly logger: Logger;
}

/** The conventions whose names the spans use. Source: opentelemetry.io/docs/specs/semconv, 1.37.0. */
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0';
/** One batch with its retries: a receiver that hangs costs spans, and never the end of a process. */
const EXPORT_MS = 2_000;

/** Of an attribute that is a list. */
const MAX_ITEMS = 100;

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT };

export function createOtlpTracing(options: OtlpOptions): Tracing {
  const chosen = createChosenIds();
  const exporter = new OTLPTraceExporter({
    url: `${withoutTrailingSlashes(options.endpoint)}/v1/traces`,
    timeoutMillis: EXPORT_MS,
  });
  const provider = new BasicTracerProvider({
    idGenerator: chosen.generator,
    resource: resourceFromAttributes({ 'service.name': options.serviceName }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(tellOfLosses(exporter, options.logger))],
  });
  const tracer = provider.getTracer('agentforge', undefined, { schemaUrl: SCHEMA_URL });
  return {
    isOn: true,
    async inSpan({ name, kind, attributes = {}, parent }, work) {
      const { traceId } = logScope();
      if (traceId === undefined) {
        return work(NO_SPAN);
      }
      const above = parent ?? currentSpan();
      const span = chosen.with({ traceId }, () =>
        tracer.startSpan(
          name,
          { kind: KINDS[kind], attributes: plain({ ...idAttributes(logScope()), ...attributes }) },
          contextOf(above),
        ),
      );
      return runIn(span, work);
    },
    report({ name, parent, spanId, attributes, startedAt, errorType }) {
      const span = chosen.with({ traceId: parent.traceId, spanId }, () =>
        tracer.startSpan(
          name,
          { kind: SpanKind.SERVER, attributes: plain(attributes), startTime: startedAt },
          contextOf(parent),
        ),
      );
      if (errorType !== null) {
        failSpan(span, errorType);
      }
      span.end();
    },
    async close() {
      await provider.shutdown().catch(() => undefined); // what was lost has been told
    },
  };
}

async function runIn<T>(span: Span, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  const { spanId, traceFlags } = span.spanContext();
  const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
  const open: OpenSpan = {
    set: (attributes) => void span.setAttributes(plain(attributes)),
    fail: (errorType) => {
      failSpan(span, errorType);
    },
  };
  try {
    return await inLogScope({ spanId, traceFlags: isSampled ? '01' : '00' }, () => work(open));
  } catch (error) {
    failSpan(span, errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

function failSpan(span: Span, errorType: string): void {
  span.setAttribute('error.type', maskText(errorType));
  span.setStatus({ code: SpanStatusCode.ERROR }); // without a message, which might hold a text
}

/** Everything key-shaped is masked, as in the log. */
function plain(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === 'string' && MASKED_ATTRIBUTES.has(name) ? value : plainValue(value),
    ]),
  );
}

function plainValue(value: Attributes[string]): AttributeValue | undefined {
  if (typeof value === 'string') {
    return maskText(value);
  }
  return typeof value === 'object' && value !== null
    ? value.slice(0, MAX_ITEMS).map((item) => maskText(item))
    : (value ?? undefined);
}

function contextOf(parent: SpanPlace | null): Context {
  if (parent === null) {
    return ROOT_CONTEXT;
  }
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

interface ChosenIds {
  readonly traceId?: string;
  readonly spanId?: string;
}

/** The SDK asks for ids while a span is started: ours where there are some, else random ones. */
function createChosenIds() {
  let chosen: ChosenIds = {};
  const random = new RandomIdGenerator();
  return {
    generator: {
      generateTraceId: () => chosen.traceId ?? random.generateTraceId(),
      generateSpanId: () => chosen.spanId ?? random.generateSpanId(),
    },
    with<T>(ids: ChosenIds, start: () => T): T {
      chosen = ids;
      try {
        return start();
      } finally {
        chosen = {};
      }
    },
  };
}

const TELL_EVERY_MS = 60_000;
const MAX_REASON = 200;

/** Says once a minute at most that spans are lost. */
function tellOfLosses(exporter: SpanExporter, logger: Logger): SpanExporter {
  let lost = 0;
  const tell = (spans: number, { message }: Error): void => {
    outOfLogScope(() => {
      logger.warn('spans lost', { spans, reason: message.slice(0, MAX_REASON) });
    });
  };
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          lost += spans.length;
          if (performance.now() - toldAt >= TELL_EVERY_MS) {
            tell(lost, result.error);
            toldAt = performance.now();
            lost = 0;
          }
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
