/** What reaches a worker over Temporal and is not obeyed: activities here, workflows report theirs. */
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, InjectedSinks } from '@temporalio/worker';
import { isExpectedActivity } from '../../activities/expected.js';
import {
  rejectionOf,
  type Rejection,
  type RejectionReason,
  type RejectionSinks,
} from '../../domain/security/rejections.js';

export type CountRejection = (rejection: Rejection) => void;

/**
 * Activities do what workflows of ours have sealed for them: never one that was started alone, with
 * anything that is not sealed, or with what was sealed for another call.
 */
export function createRejectingInterceptor(count: CountRejection): ActivityInboundCallsInterceptor {
  return {
    execute(input, next) {
      const reason = reasonAgainst(input.args);
      if (reason === null) {
        return next(input);
      }
      const { activityType: activity } = Context.current().info;
      log.warn('rejected', { kind: 'activity', reason, activity });
      count({ kind: 'activity', reason });
      throw ApplicationFailure.nonRetryable(`rejected (activity: ${reason})`, 'rejected');
    },
  };
}

function reasonAgainst(args: readonly unknown[]): RejectionReason | null {
  const { inWorkflow, workflowExecution, activityType, isLocal } = Context.current().info;
  if (!inWorkflow) {
    return 'unexpected';
  }
  if (args.length === 0) {
    return 'missing';
  }
  const rejection = args.map(rejectionOf).find((reason) => reason !== null);
  if (rejection !== undefined) {
    return rejection;
  }
  const workflowId = workflowExecution?.workflowId ?? '';
  const isExpected = isExpectedActivity({ activityType, workflowId, isLocal, argument: args[0] });
  return isExpected ? null : 'unexpected';
}

/** A replay reports nothing again. */
export function rejectionSinks(count: CountRejection): InjectedSinks<RejectionSinks> {
  return {
    rejections: {
      rejected: {
        fn: (_, rejection) => {
          count(rejection);
        },
        callDuringReplay: false,
      },
    },
  };
}
