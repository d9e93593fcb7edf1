/** Where workflows report turns that they decide otherwise than these are recorded. */
import type { InjectedSinks } from '@temporalio/worker';
import type { DecisionSinks } from '../../domain/discussion/decision-hash.js';
import type { Logger } from '../../telemetry/logger.js';
import type { ActivityMetrics } from '../../telemetry/worker-metrics.js';

/** Also while it is replayed: code of another release may decide otherwise than it was decided. */
export function decisionSinks(
  logger: Logger,
  metrics: Pick<ActivityMetrics, 'mistake'>,
): InjectedSinks<DecisionSinks> {
  return {
    decisions: {
      differs: {
        fn({ workflowId, unsafe: { isReplaying } }, turn) {
          const fields = { ...turn, workflowId, isReplaying };
          logger.error('a turn is decided otherwise than recorded: the record counts', fields);
          metrics.mistake('decision');
        },
        callDuringReplay: true,
      },
    },
  };
}
