/** What reaches a worker over Temporal and is not obeyed: activities here, workflows report theirs. */
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, InjectedSinks } from '@temporalio/worker';
import {
  rejectionOf,
  type Rejection,
  type RejectionReason,
  type RejectionSinks,
} from '../../domain/rejections.js';

export type CountRejection = (rejection: Rejection) => void;

/**
 * Activities do what workflows of ours have sealed for them: never one that was started alone, or
 * with anything that is not sealed.
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
  if (!Context.current().info.inWorkflow) {
    return 'unexpected';
  }
  return args.length === 0
    ? 'missing'
    : (args.map(rejectionOf).find((reason) => reason !== null) ?? null);
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
