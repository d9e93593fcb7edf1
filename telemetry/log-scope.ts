import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { SpanPlace, Trace } from '../domain/traces.js';

/** Ids that every line carries which is logged inside the scope. */
export interface LogScope extends Partial<Trace> {
  readonly userId?: string;
  readonly conversationId?: string;
  readonly pipelineId?: string;
  /** The span that is under way, where spans are made. */
  readonly spanId?: string;
  /** Whether that span is kept, as the last part of a `traceparent`. */
  readonly traceFlags?: '00' | '01';
}

const storage = new AsyncLocalStorage<LogScope>();

/** Runs `work` with `ids` added to those of the scope around it; another trace leaves its span. */
export function inLogScope<T>(ids: LogScope, work: () => T): T {
  const { spanId, traceFlags, ...around } = logScope();
  const isSameTrace = ids.traceId === undefined || ids.traceId === around.traceId;
  return storage.run({ ...(isSameTrace ? logScope() : around), ...ids }, work);
}

/** For work of the process itself, which happens to begin while something else is under way. */
export function outOfLogScope<T>(work: () => T): T {
  return storage.run({}, work);
}

export function logScope(): LogScope {
  return storage.getStore() ?? {};
}

/** The span that is under way; null where none is made. */
export function currentSpan(): SpanPlace | null {
  const { traceId, spanId, traceFlags } = logScope();
  return traceId === undefined || spanId === undefined
    ? null
    : { traceId, spanId, isSampled: traceFlags === '01' };
}

/** What to name as the parent of a call that leaves this process; null: its cause is not known. */
export function outgoingSpan(): SpanPlace | null {
  const { traceId } = logScope();
  if (traceId === undefined) {
    return null;
  }
  return currentSpan() ?? { traceId, spanId: randomSpanId(), isSampled: true };
}

const SPAN_BYTES = 8;

function randomSpanId(): string {
  return randomBytes(SPAN_BYTES).toString('hex');
}
