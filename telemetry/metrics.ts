/** Prometheus metrics under the contract's names. Source: contract, http §2. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics extends HttpMetrics {
  readonly registry: Registry;
  /** Open chat sockets of this process; kept by the socket server. */
  readonly websocketConnections: Gauge;
  /** Sockets that were not opened, by reason. */
  readonly websocketRefusals: Counter<'reason'>;
  /** Open event streams of this process. */
  readonly eventStreams: Gauge;
}

export interface HttpMetrics {
  readonly httpRequests: Counter<'method' | 'endpoint' | 'status'>;
  readonly httpDuration: Histogram<'method' | 'endpoint'>;
}

const HTTP_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A registry with the process's own metrics, for any of our processes. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** The API's metrics. */
export function createMetrics(registry: Registry = createRegistry()): Metrics {
  return {
    registry,
    ...createHttpMetrics(registry),
    websocketConnections: new Gauge({
      name: 'websocket_connections_active',
      help: 'Open chat sockets',
      registers: [registry],
    }),
    websocketRefusals: new Counter({
      name: 'websocket_refusals_total',
      help: 'Chat sockets refused',
      labelNames: ['reason'],
      registers: [registry],
    }),
    eventStreams: new Gauge({
      name: 'event_streams_active',
      help: 'Open event streams',
      registers: [registry],
    }),
  };
}

/** Of every process that answers requests. */
export function createHttpMetrics(registry: Registry): HttpMetrics {
  return {
    httpRequests: new Counter({
      name: 'http_requests_total',
      help: 'HTTP requests answered',
      labelNames: ['method', 'endpoint', 'status'],
      registers: [registry],
    }),
    httpDuration: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time to answer an HTTP request',
      labelNames: ['method', 'endpoint'],
      buckets: HTTP_BUCKETS,
      registers: [registry],
    }),
  };
}

const FAMILY = /^# (?:HELP|TYPE) (\S+)/;

/**
 * Adds another process's metrics page to our own. A metric that both have (their process metrics)
 * is kept from our own alone, because a page may name a metric only once.
 */
export function appendPage(own: string, other: string): string {
  const known = new Set(own.split('\n').flatMap((line) => FAMILY.exec(line)?.[1] ?? []));
  let isKnown = false;
  const added = other.split('\n').filter((line) => {
    const family = FAMILY.exec(line)?.[1];
    isKnown = family === undefined ? isKnown : known.has(family);
    return !isKnown && line !== '';
  });
  return added.length === 0 ? own : `${own.trimEnd()}\n${added.join('\n')}\n`;
}
