/**
 * What every activity gets without writing it: the charge context of its calls, a heartbeat
 * (so that a lost worker and a cancellation are noticed), metrics, and one translation of errors.
 */
import { Context, log, type Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { z } from 'zod';
import { isMistake, toApplicationFailure } from '../../activities/failures.js';
import type { TurnActivities } from '../../activities/discussion/turn.js';
import { RUN_WAIT_RECORDS } from '../../activities/run/waits.js';
import type { BillingContext } from '../../domain/account/costs.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import { AttemptNotes, attemptScope } from '../../llm/attempt-scope.js';
import { billingContext } from '../../llm/billing/billing-context.js';
import type { ActivityMetrics } from '../../telemetry/worker-metrics.js';
import type { ActivityLoad } from '../archiving/activity-load.js';
import { toHeartbeat, failedAttemptOf, nameAsked, observeQueue } from './attempts.js';

/** Activities whose first argument looks so make calls for one step. */
const Chargeable = z.object({
  stepId: z.string(),
  userId: z.string(),
  pipelineId: z.string().nullable().optional(),
  conversationId: z.string().nullable().optional(),
  round: z.int().optional(),
  node: z.string().optional(),
});

/** It makes several calls, and charges each to its own step (activities/discussion/answers.ts). */
const TURN: keyof TurnActivities = 'takeTurn';

/** A third of the shortest heartbeat timeout, and no less than what the SDK would throttle. */
const HEARTBEAT_MS = 1_000;

/** Sent once, without waiting for the answer. */
export type ReportFailedAttempt = (workflow: WorkflowOfAttempt, failed: FailedAttempt) => void;

export interface WorkflowOfAttempt {
  readonly workflowId: string;
  readonly runId: string;
}

export interface ActivityInterceptorDeps {
  readonly metrics: ActivityMetrics;
  readonly load: ActivityLoad;
  readonly reportFailedAttempt: ReportFailedAttempt;
}

export function createActivityInterceptor({
  metrics,
  load,
  reportFailedAttempt,
}: ActivityInterceptorDeps): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      const context = Context.current();
      const { info } = context;
      const notes = new AttemptNotes();
      const heartbeat = info.isLocal
        ? null
        : setInterval(() => {
            context.heartbeat(toHeartbeat(info, notes));
          }, HEARTBEAT_MS);
      const ended = metrics.begun(info.activityType);
      const unload = load.begin(info.activityType);
      observeQueue(metrics, info);
      const billing = chargeOf(input.args[0], context);
      const run = () => attemptScope.run(notes, () => next(input));
      try {
        return await (billing === null ? run() : billingContext.run(billing, run));
      } catch (error) {
        const failure = failureOf(metrics, info, error);
        if (failure instanceof ApplicationFailure) {
          reportTo(reportFailedAttempt, { info, call: input.args[0], failure, notes });
          nameAsked(failure, notes);
        }
        throw failure;
      } finally {
        ended();
        unload();
        if (heartbeat !== null) {
          clearInterval(heartbeat);
        }
      }
    },
  };
}

/** The one translation of errors. */
function failureOf(metrics: ActivityMetrics, info: Info, error: unknown) {
  const { activityType: activity, attempt, isLocal } = info;
  metrics.failed(activity);
  const isBookkeeping = isLocal || activity === TURN || RUN_WAIT_RECORDS.includes(activity);
  const failure = toApplicationFailure(error, { isBookkeeping, attempt });
  if (failure !== error) {
    tell(metrics, failure, { activity, attempt, error });
  }
  return failure;
}

interface Failing {
  readonly info: Info;
  readonly call: unknown;
  readonly failure: ApplicationFailure;
  readonly notes: AttemptNotes;
}

/** Tells the workflow of calls that cost money; other activities only wait for our own stores. */
function reportTo(report: ReportFailedAttempt, { info, call, failure, notes }: Failing): void {
  const { workflowExecution: workflow, activityType } = info;
  const charged = Chargeable.safeParse(call);
  const failed = failedAttemptOf(info, failure, notes);
  const asksModels = charged.success || activityType === TURN;
  if (workflow !== undefined && asksModels && failed !== null) {
    report(workflow, { ...failed, node: charged.data?.node ?? null });
  }
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

function chargeOf(argument: unknown, { info }: Context): BillingContext | null {
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
