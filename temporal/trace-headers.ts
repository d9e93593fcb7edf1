/** Carries the ids of a cause through Temporal, so that all that it leads to can be found. */
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import {
  MAX_HEADER_BYTES,
  TRACE_HEADERS,
  spanIn,
  traceparentOf,
  type SpanPlace,
  type Trace,
} from '../domain/traces.js';
import { logScope, outgoingSpan } from '../telemetry/log-scope.js';
import type { Tracing } from '../telemetry/tracing.js';

/**
 * Makes a span of what a client sends, and adds the ids of the log scope to it. Names are those of
 * Temporal's own SDKs.
 */
export function traceClientCalls(tracing: Tracing): WorkflowClientInterceptor {
  const spanOf = (name: string, workflowId: string | undefined) => ({
    name,
    kind: 'client' as const,
    attributes: { temporalWorkflowID: workflowId ?? null },
  });
  return {
    startWithDetails: (input, next) =>
      tracing.inSpan(spanOf(`StartWorkflow:${input.workflowType}`, input.options.workflowId), () =>
        next({ ...input, headers: withTrace(input.headers) }),
      ),
    signal: (input, next) =>
      tracing.inSpan(
        spanOf(`SignalWorkflow:${input.signalName}`, input.workflowExecution.workflowId),
        () => next({ ...input, headers: withTrace(input.headers) }),
      ),
    startUpdate: (input, next) =>
      tracing.inSpan(
        spanOf(`StartWorkflowUpdate:${input.updateName}`, input.workflowExecution.workflowId),
        () => next({ ...input, headers: withTrace(input.headers) }),
      ),
    signalWithStart: (input, next) =>
      tracing.inSpan(
        spanOf(`SignalWithStartWorkflow:${input.workflowType}`, input.options.workflowId),
        () => next({ ...input, headers: withTrace(input.headers) }),
      ),
  };
}

function withTrace(headers: Headers): Headers {
  const { requestId } = logScope();
  const span = outgoingSpan();
  if (requestId === undefined || span === null) {
    return headers;
  }
  return {
    ...headers,
    [TRACE_HEADERS.trace]: defaultPayloadConverter.toPayload(traceparentOf(span)),
    [TRACE_HEADERS.request]: defaultPayloadConverter.toPayload(requestId),
  };
}

/** The ids that came with a call; none where its cause is not known. */
export function traceIn(headers: Headers): Partial<Trace> {
  const requestId = textIn(headers, TRACE_HEADERS.request);
  const traceId = parentIn(headers)?.traceId;
  return {
    ...(requestId === null ? {} : { requestId }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** The span that a call came from. */
export function parentIn(headers: Headers): SpanPlace | null {
  return spanIn(textIn(headers, TRACE_HEADERS.trace) ?? '');
}

function textIn(headers: Headers, name: string): string | null {
  const payload = headers[name];
  if (payload === undefined || (payload.data?.length ?? 0) > MAX_HEADER_BYTES) {
    return null;
  }
  try {
    const text: unknown = defaultPayloadConverter.fromPayload<unknown>(payload);
    return typeof text === 'string' ? text : null;
  } catch {
    return null; // headers are not sealed: anybody may have written them
  }
}
