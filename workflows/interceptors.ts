/**
 * Rejects what is not ours; then carries the ids of a cause from what came in to all that it leads
 * to, and into log lines. Only headers are added: no command more or less, so that every history
 * replays.
 */
import type { Headers } from '@temporalio/common';
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { followCall } from './discussion/failing-calls.js';
import { rejectingInterceptor, screenActivation } from './rejections.js';
import { traceContextHeaders, traceContextIds, inRun, keepTraceContext } from './spans.js';

/** Called by the SDK once per workflow run. */
export function interceptors(): WorkflowInterceptors {
  const withTraceContext = <T extends { readonly headers: Headers }>(input: T): T => ({
    ...input,
    headers: { ...traceContextHeaders(), ...input.headers },
  });
  return {
    internals: [
      {
        activate(input, next) {
          next(screenActivation(input));
        },
      },
    ],
    inbound: [
      rejectingInterceptor(),
      {
        execute(input, next) {
          const ids = idsOf(input.args[0]);
          return inRun({ headers: input.headers, ids }, () => next(input));
        },
        handleSignal(input, next) {
          const [first] = input.args;
          const id = fieldOf(first, 'messageId') ?? fieldOf(first, 'pipelineId');
          if (typeof id === 'string') {
            keepTraceContext(id, input.headers);
          }
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity(input, next) {
          const done = next(withTraceContext(input));
          followCall(input.activityType, done);
          return done;
        },
        scheduleLocalActivity: (input, next) => next(withTraceContext(input)),
        startChildWorkflowExecution: (input, next) => next(withTraceContext(input)),
        signalWorkflow: (input, next) => next(withTraceContext(input)),
        continueAsNew: (input, next) => next(withTraceContext(input)),
        getLogAttributes: (input, next) => ({ ...next(input), ...traceContextIds() }),
      },
    ],
  };
}

/** Who and what a workflow is about; each of ours takes these in its first argument. */
function idsOf(input: unknown): Readonly<Record<string, unknown>> {
  const names = ['userId', 'conversationId', 'pipelineId'];
  const known = names.map((name) => [name, fieldOf(input, name)] as const);
  return Object.fromEntries(known.filter(([, value]) => typeof value === 'string'));
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
