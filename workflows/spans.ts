/**
 * What a run is caused by, and the spans that it tells of. No command comes or goes with them, and
 * nothing waits for them, so that every history replays. The sandbox gives each run a copy of this
 * module: its state is that of one run.
 */
import { ApplicationFailure, defaultPayloadConverter, type Headers } from '@temporalio/common';
import { ContinueAsNew, isCancellation, proxySinks, workflowInfo } from '@temporalio/workflow';
import {
  MAX_HEADER_BYTES,
  TRACE_HEADERS,
  idAttributes,
  spanIdOf,
  spanIn,
  traceparentOf,
  type SpanPlace,
  type TraceSinks,
} from '../domain/traces.js';

const { traces } = proxySinks<TraceSinks>();
/** Those of messages and notices that wait for their turn, by message or run. */
const traceContexts = new Map<string, Headers>();
let current: Headers = {};
/** Whom and what the run is about. */
let ids: Ids = {};

type Ids = Readonly<Record<string, unknown>>;

/** The headers of all that goes out: what is being done, and for whom. */
export function traceContextHeaders(): Headers {
  return current;
}

/** The ids of what is being done, and for whom, for the log. */
export function traceContextIds(): Ids {
  const traceId = placeIn(current)?.traceId;
  return traceId === undefined
    ? ids
    : { ...ids, requestId: textIn(current, TRACE_HEADERS.request), traceId };
}

/** A message, or a notice of a run, waits for its turn. @param id of the message or the run */
export function keepTraceContext(id: string, headers: Headers): void {
  traceContexts.set(id, tracesOf(headers));
}

/** What follows is caused by that message or notice. */
export function followTraceContext(id: string): void {
  current = traceContexts.get(id) ?? current;
  traceContexts.delete(id);
}

/**
 * Runs live for as long as their work takes and are spans; a discussion lives for days, and its
 * turns are.
 */
const LASTING = ['discussionWorkflow'];

/** The run begins, caused by who started it. */
export function inRun<T>(
  cause: { readonly headers: Headers; readonly ids: Ids },
  work: () => Promise<T>,
): Promise<T> {
  current = tracesOf(cause.headers);
  ids = cause.ids;
  const { workflowType, runId } = workflowInfo();
  return LASTING.includes(workflowType)
    ? work()
    : asSpan({ name: `RunWorkflow:${workflowType}`, spanId: spanIdOf(runId) }, work);
}

/** A turn begins: what follows is caused by its message. */
export function inTurn<T>(messageId: string, work: () => Promise<T>): Promise<T> {
  followTraceContext(messageId);
  const { workflowType, runId } = workflowInfo();
  const spanId = spanIdOf(runId, messageId);
  return asSpan({ name: `RunTurn:${workflowType}`, spanId }, work);
}

interface Named {
  readonly name: string;
  readonly spanId: string;
}

function asSpan<T>({ name, spanId }: Named, work: () => Promise<T>): Promise<T> {
  const parent = placeIn(current);
  if (parent === null) {
    return work();
  }
  const traceparent = traceparentOf({ ...parent, spanId });
  current = { ...current, [TRACE_HEADERS.trace]: defaultPayloadConverter.toPayload(traceparent) };
  const { workflowId, runId } = workflowInfo();
  const attributes = {
    ...idAttributes(traceContextIds()),
    temporalWorkflowID: workflowId,
    temporalRunID: runId,
  };
  const startedAt = Date.now();
  const end = (errorType: string | null): void => {
    if (!workflowInfo().unsafe.isReplaying) {
      // it has been published, and a replay has no listener
      traces.ended({ name, spanId, parent, attributes, startedAt, errorType });
    }
  };
  const done = work();
  void done.then(
    () => {
      end(null);
    },
    (error: unknown) => {
      end(errorTypeOf(error));
    },
  );
  return done; // itself: a promise more would be a turn of the event loop more than history knows
}

function errorTypeOf(error: unknown): string | null {
  if (error instanceof ContinueAsNew) {
    return null;
  }
  if (isCancellation(error)) {
    return 'cancelled';
  }
  const type = error instanceof ApplicationFailure ? error.type : null;
  return type ?? (error instanceof Error ? error.name : '_OTHER');
}

function tracesOf(headers: Headers): Headers {
  const names: readonly string[] = Object.values(TRACE_HEADERS);
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => names.includes(name) && textIn(headers, name) !== '',
    ),
  );
}

function placeIn(headers: Headers): SpanPlace | null {
  return spanIn(textIn(headers, TRACE_HEADERS.trace));
}

/** Headers are not sealed, so that anybody may have written them. @returns '' for none of ours */
function textIn(headers: Headers, name: string): string {
  const payload = headers[name];
  if (payload === undefined || (payload.data?.length ?? 0) > MAX_HEADER_BYTES) {
    return '';
  }
  try {
    const text: unknown = defaultPayloadConverter.fromPayload<unknown>(payload);
    return typeof text === 'string' ? text : '';
  } catch {
    return '';
  }
}
