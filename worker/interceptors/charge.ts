/**
 * What every activity gets without writing it: the charge context of its calls, a heartbeat
 * (so that a lost worker and a cancellation are noticed), metrics, and one translation of errors.
 */
import { Context, log } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { z } from 'zod';
import { isMistake, toApplicationFailure } from '../../activities/failures.js';
import { RUN_WAIT_RECORDS } from '../../activities/run-waits.js';
import type { Charge } from '../../domain/costs.js';
import { chargeScope } from '../../llm/charge-scope.js';
import type { ActivityMetrics } from '../../telemetry/worker-metrics.js';

/** Activities whose first argument looks so make calls that cost money. */
const Chargeable = z.object({
  stepId: z.string(),
  userId: z.string(),
  pipelineId: z.string().nullable().optional(),
  conversationId: z.string().nullable().optional(),
  round: z.int().optional(),
});

/** A third of the shortest heartbeat timeout, and no less than what the SDK would throttle. */
const HEARTBEAT_MS = 1_000;

export function createActivityInterceptor(
  metrics: ActivityMetrics,
): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      const context = Context.current();
      const { info } = context;
      const startedAt = Date.now();
      const beat = info.isLocal
        ? null
        : setInterval(() => {
            context.heartbeat();
          }, HEARTBEAT_MS);
      const ended = metrics.begun(info.activityType);
      metrics.queueLatency(info.activityType, startedAt - info.scheduledTimestampMs);
      try {
        const charge = chargeOf(input.args[0], context);
        return await (charge === null ? next(input) : chargeScope.run(charge, () => next(input)));
      } catch (error) {
        const { activityType: activity, attempt } = info;
        metrics.failed(activity);
        const isBookkeeping = info.isLocal || RUN_WAIT_RECORDS.includes(activity);
        const failure = toApplicationFailure(error, { isBookkeeping, attempt });
        if (failure !== error) {
          tell(metrics, failure, { activity, attempt, error });
        }
        throw failure;
      } finally {
        ended();
        if (beat !== null) {
          clearInterval(beat);
        }
      }
    },
  };
}

/** Logs our mistakes as errors, with their stack. */
function tell(
  metrics: ActivityMetrics,
  failure: unknown,
  fields: { readonly activity: string; readonly attempt: number; readonly error: unknown },
): void {
  if (isMistake(failure)) {
    metrics.mistake(fields.activity);
    log.error('activity failed for good: a mistake of ours', fields);
  } else {
    log.warn('activity attempt failed', fields);
  }
}

function chargeOf(argument: unknown, { info }: Context): Charge | null {
  const parsed = Chargeable.safeParse(argument);
  if (!parsed.success) {
    return null;
  }
  const { stepId, userId, pipelineId = null, conversationId = null, round = 0 } = parsed.data;
  const runId = info.workflowExecution?.runId ?? '';
  return {
    stepId,
    userId,
    pipelineId,
    conversationId,
    // attempts are counted anew when a call that was put off is made
    runId: round === 0 ? runId : `${runId}:${round}`,
    attempt: info.attempt,
  };
}
