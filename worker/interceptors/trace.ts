/** What every activity gets without writing it: the ids of its cause in all that it logs and sends, and a span. */
import { Context, type Info } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { z } from 'zod';
import { parentIn, traceIn } from '../../temporal/trace-headers.js';
import { inLogScope, logScope, type LogScope } from '../../telemetry/log-scope.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Work } from '../../telemetry/loop-board.js';
import type { SpanSpec, Tracing } from '../../telemetry/tracing.js';
import { inWork } from '../../telemetry/work-scope.js';

const id = z.string().optional().catch(undefined);
const Ids = z.object({ userId: id, conversationId: id, pipelineId: id });

/** One for each attempt. */
export function createTraceInterceptor(logger: Logger, tracing: Tracing): ActivityInterceptors {
  let ids: LogScope = {};
  return {
    inbound: {
      execute: (input, next) => {
        ids = { ...idsOf(input.args[0]), ...traceIn(input.headers) };
        const { info } = Context.current();
        const span = { ...spanOf(info), parent: parentIn(input.headers) };
        const run = () =>
          tracing.inSpan(span, async () => {
            const startedAt = performance.now();
            const { activityType: activity, attempt, isLocal } = info;
            try {
              return await next(input);
            } finally {
              const durationMs = Math.round(performance.now() - startedAt);
              const level = isLocal ? 'debug' : 'info';
              logger[level]('activity ended', { activity, attempt, durationMs });
            }
          });
        return inLogScope(ids, () => inWork(workOf(info), run));
      },
    },
    outbound: {
      // the SDK tells of a failure when the scope has been left
      getLogAttributes: (input, next) => ({ ...next(input), ...ids, ...logScope() }),
    },
  };
}

function workOf({ activityType, attempt, workflowType, workflowExecution }: Info): Work {
  return {
    work: 'activity',
    activity: activityType,
    attempt,
    workflowType: workflowType ?? '',
    workflowId: workflowExecution?.workflowId ?? '',
  };
}

/** Each attempt is a span of its own. */
function spanOf(info: Info): SpanSpec {
  return {
    name: `RunActivity:${info.activityType}`,
    kind: 'server',
    attributes: {
      temporalWorkflowID: info.workflowExecution?.workflowId ?? null,
      temporalRunID: info.workflowExecution?.runId ?? null,
      temporalActivityID: info.activityId,
      'agentforge.activity.attempt': info.attempt,
    },
  };
}

function idsOf(argument: unknown): LogScope {
  const { success, data = {} } = Ids.safeParse(argument);
  return success ? Object.fromEntries(Object.entries(data).filter(([, value]) => value)) : {};
}
