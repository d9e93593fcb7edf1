/** Where workflows tell of their spans. */
import type { InjectedSinks } from '@temporalio/worker';
import type { TraceSinks } from '../../domain/traces.js';
import type { Tracing } from '../../telemetry/tracing.js';

/** A replay tells nothing again. */
export function traceSinks(tracing: Tracing): InjectedSinks<TraceSinks> {
  return {
    traces: {
      ended: {
        fn: (_, span) => {
          tracing.report(span);
        },
        callDuringReplay: false,
      },
    },
  };
}
