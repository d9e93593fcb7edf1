/** What operators see of an attempt while it is made, and once it has failed. */
import type { Info } from '@temporalio/activity';
import type { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { isTold, textOfAsked, type FailedAttempt } from '../../domain/run/failed-attempts.js';
import type { AttemptNotes } from '../../llm/attempt-scope.js';
import type { ActivityMetrics } from '../../telemetry/worker-metrics.js';

/**
 * What each heartbeat says in the Temporal Web UI, under Pending Activities: ids and words of ours, and
 * sealed.
 */
export function toHeartbeat({ attempt }: Info, { call, asked, current }: AttemptNotes): object {
  const failed = textOfAsked(asked.filter(({ code }) => code !== undefined));
  return {
    attempt,
    ...(call === null ? {} : { call }),
    ...(current === null
      ? {}
      : {
          vendor: current.vendor,
          ...(current.model === null ? {} : { model: current.model }),
          since: new Date(current.sinceMs).toISOString(),
        }),
    ...(failed === '' ? {} : { failed }),
  };
}

/** Of the attempt: what its activity waits for after a failure is no queue. */
export function observeQueue(metrics: ActivityMetrics, info: Info): void {
  const { activityType, attempt, isLocal, currentAttemptScheduledTimestampMs } = info;
  if (!isLocal || attempt === 1) {
    metrics.queueLatency(activityType, Date.now() - currentAttemptScheduledTimestampMs);
  }
}

/** Messages of failures are not sealed, so that a model's name, which may be a user's word, is left out. */
export function nameAsked(failure: ApplicationFailure, { asked }: AttemptNotes): void {
  const vendors = textOfAsked(asked.map((one) => ({ ...one, model: null })));
  if (vendors !== '') {
    failure.message = `${failure.message} Asked: ${vendors}.`;
  }
}

/** @returns null for a failure that ends the activity, and for one that is not told */
export function failedAttemptOf(
  info: Info,
  failure: ApplicationFailure,
  { call, asked }: AttemptNotes,
): Omit<FailedAttempt, 'node'> | null {
  const { activityType: activity, attempt } = info;
  const failedAtMs = Date.now();
  return failure.nonRetryable === true || !isTold(attempt)
    ? null
    : {
        ...{ activity, attempt, asked, failedAtMs, advice: failure.message },
        ...(call === null ? {} : { call }),
        code: failure.type ?? 'internal',
        nextAtMs: failedAtMs + delayAfter(info, failure),
      };
}

/** As Temporal counts it. */
function delayAfter({ attempt, retryPolicy }: Info, failure: ApplicationFailure): number {
  if (failure.nextRetryDelay != null) {
    return msToNumber(failure.nextRetryDelay);
  }
  const firstMs = msToNumber(retryPolicy?.initialInterval ?? '1s');
  const longestMs = msToNumber(retryPolicy?.maximumInterval ?? 100 * firstMs);
  return Math.min(longestMs, firstMs * (retryPolicy?.backoffCoefficient ?? 2) ** (attempt - 1));
}
