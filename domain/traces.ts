/** What names one cause — a request, a message — in every log line that it leads to. */
export interface Trace {
  /** The request's id, or the message's. */
  readonly requestId: string;
  /** 32 hexadecimal digits, not all of them 0. */
  readonly traceId: string;
}

/** One span's place in a trace: what a `traceparent` tells. */
export interface SpanPlace {
  readonly traceId: string;
  /** 16 hexadecimal digits, not all of them 0. */
  readonly spanId: string;
  /** Whether its spans are kept; who begins a trace decides it for all. */
  readonly isSampled: boolean;
}

/** A span of a workflow, told when it is over: here and now, so that its end needs no telling. */
export interface EndedSpan {
  readonly name: string;
  readonly spanId: string;
  readonly parent: SpanPlace;
  readonly attributes: Readonly<Record<string, string>>;
  /** By the workflow's clock, which a replay repeats: milliseconds since the epoch. */
  readonly startedAt: number;
  /** What it failed with, as a class of failures; null: it did not. */
  readonly errorType: string | null;
}

/** Names in spans of the ids that log lines carry, too. */
const ID_ATTRIBUTES = {
  requestId: 'agentforge.request.id',
  userId: 'user.id',
  conversationId: 'agentforge.conversation.id',
  pipelineId: 'agentforge.pipeline.id',
} as const;

/** Whom and what a span is about. @param ids by the names that they have in the log */
export function idAttributes(
  ids: Readonly<Partial<Record<keyof typeof ID_ATTRIBUTES, unknown>>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(ID_ATTRIBUTES).flatMap(([id, name]) => {
      const value: unknown = Reflect.get(ids, id);
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

/** How a workflow tells of its spans; the worker listens. */
export type TraceSinks = {
  readonly traces: { ended(span: EndedSpan): void };
};

/** Temporal headers are stored in the open, so they carry ids only. */
export const TRACE_HEADERS = { trace: 'traceparent', request: 'request-id' } as const;
/** Longer than any id of ours: what is longer is not passed on. */
export const MAX_HEADER_BYTES = 512;

/** Source: W3C Trace Context §3.2.2. */
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 0x01;

/** @returns what a `traceparent` header tells, or null if it is none */
export function spanIn(traceparent: string): SpanPlace | null {
  const parts = TRACEPARENT.exec(traceparent) ?? [];
  const [, traceId = NO_TRACE, spanId = NO_SPAN, flags = '00'] = parts;
  const isValid = traceId !== NO_TRACE && spanId !== NO_SPAN && !traceparent.startsWith('ff');
  const isSampled = (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED;
  return isValid ? { traceId, spanId, isSampled } : null;
}

export function traceparentOf({ traceId, spanId, isSampled }: SpanPlace): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** A UUID is as good a trace id as any, and finds the message by its id. */
export function traceOfUuid(uuid: string): Trace {
  return { requestId: uuid, traceId: digitsOf(uuid) };
}

const SPAN_DIGITS = 16;
const HEX = 16;

/**
 * The id of the span that a workflow's run is, or one of its turns: the same in each replay, since
 * nothing of chance is in it.
 */
export function spanIdOf(runId: string, messageId = ''): string {
  const [run, message] = [lastDigitsOf(runId), lastDigitsOf(messageId)];
  const mixed = (run ^ message).toString(HEX).padStart(SPAN_DIGITS, '0');
  return mixed === NO_SPAN ? run.toString(HEX).padStart(SPAN_DIGITS, '1') : mixed;
}

function lastDigitsOf(uuid: string): bigint {
  return BigInt(`0x0${uuid.replaceAll(/[^\da-f]/g, '').slice(-SPAN_DIGITS)}`);
}

function digitsOf(uuid: string): string {
  return uuid.replaceAll('-', '');
}
