/** Takes spans as OTLP/HTTP JSON, as a collector of OpenTelemetry does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it begins the trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  readonly service: string;
  readonly attributes: Readonly<Record<string, any>>;
  readonly isFailed: boolean;
  readonly startedAt: bigint;
  readonly endedAt: bigint;
}

export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that came, as it came. */
  readonly bodies: readonly string[];
  /** From now on requests are not answered. */
  hang(): void;
  close(): Promise<void>;
}

const KINDS = ['internal', 'internal', 'server', 'client'] as const;
const FAILED = 2;

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const bodies: string[] = [];
  const spans: ReceivedSpan[] = [];
  let hangs = false;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.url !== '/v1/traces' || request.method !== 'POST') {
        response.writeHead(404).end();
        return;
      }
      bodies.push(body);
      if (!hangs) {
        spans.push(...spansIn(JSON.parse(body)));
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    hang: () => {
      hangs = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function spansIn({ resourceSpans }: any): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    scopeSpans.flatMap((scope: any) =>
      scope.spans.map((span: any) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        name: span.name,
        kind: KINDS[span.kind],
        service: attributesOf(resource)['service.name'],
        attributes: attributesOf(span),
        isFailed: span.status.code === FAILED,
        startedAt: BigInt(span.startTimeUnixNano),
        endedAt: BigInt(span.endTimeUnixNano),
      })),
    ),
  );
}

function attributesOf({ attributes }: any): Record<string, any> {
  return Object.fromEntries(attributes.map(({ key, value }: any) => [key, valueOf(value)]));
}

function valueOf(value: any): unknown {
  return value.arrayValue === undefined
    ? (value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue)
    : value.arrayValue.values.map(valueOf);
}

/** The spans of a trace as a tree of their names; children in the order in which they have begun. */
export function treeOf(spans: readonly ReceivedSpan[], parentSpanId = ''): Tree[] {
  return spans
    .filter((span) => span.parentSpanId === parentSpanId)
    .sort((a, b) => Number(a.startedAt - b.startedAt))
    .map(({ name, spanId }) => {
      const below = treeOf(spans, spanId);
      return below.length === 0 ? name : { [name]: below };
    });
}

export type Tree = string | { readonly [name: string]: Tree[] };
