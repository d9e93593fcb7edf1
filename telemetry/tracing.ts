/**
 * Spans of what a request or a message leads to. Nothing here knows OpenTelemetry: without an
 * operator who asks for traces nothing of it is loaded, and `silentTracing` only does the work.
 */
import type { EndedSpan, SpanPlace } from '../domain/traces.js';

export type Attributes = Readonly<
  Record<string, string | number | boolean | readonly string[] | null>
>;

/** Attributes that are JSON of texts: each text is masked before, where keys can be told. */
export const MASKED_ATTRIBUTES: ReadonlySet<string> = new Set([
  'gen_ai.system_instructions',
  'gen_ai.input.messages',
  'gen_ai.output.messages',
]);

export interface SpanSpec {
  readonly name: string;
  /** `server`: work that was asked for elsewhere; `client`: the asking. */
  readonly kind: 'internal' | 'server' | 'client';
  /** Ids, names of ours, counts; never texts. Those that are null are left out. */
  readonly attributes?: Attributes;
  /** What came with the request; absent: the span under way. */
  readonly parent?: SpanPlace | null;
}

/** A span under way. */
export interface OpenSpan {
  set(attributes: Attributes): void;
  /** For failures that are no exceptions. @param errorType a class of failures, no message */
  fail(errorType: string): void;
}

export interface Tracing {
  /** Whether anybody gets the spans: what is dear to describe may be left out otherwise. */
  readonly isOn: boolean;
  /**
   * Runs `work` as a span of the log scope's trace, with the scope's ids; outside of any trace
   * there is no span. What `work` throws makes it a failed one, and is thrown on.
   */
  inSpan<T>(spec: SpanSpec, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  report(span: EndedSpan): void;
  /** Sends what has not been sent, for two seconds at most. */
  close(): Promise<void>;
}

/** For work that is no span. */
export const NO_SPAN: OpenSpan = { set: () => undefined, fail: () => undefined };

export const silentTracing: Tracing = {
  isOn: false,
  inSpan: (_, work) => work(NO_SPAN),
  report: () => undefined,
  close: () => Promise.resolve(),
};

/** The class of a failure: our code, Temporal's type, or the error's name; messages may hold texts. */
export function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return '_OTHER';
  }
  const names = [Reflect.get(error, 'type'), Reflect.get(error, 'code'), error.name];
  return names.find((name): name is string => typeof name === 'string' && name !== '') ?? '_OTHER';
}
