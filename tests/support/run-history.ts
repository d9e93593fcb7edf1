/** A run's history in Temporal, by the types of its events. */
import { temporal } from '@temporalio/proto';
import type { RunFixture, FixtureRun } from './run-fixture.js';

const { EventType } = temporal.api.enums.v1;

/** As `WORKFLOW_TASK_STARTED`, in order. */
export async function historyOf(fixture: RunFixture, run: FixtureRun): Promise<readonly string[]> {
  const { events } = await fixture.handleOf(run).fetchHistory();
  return (events ?? []).map(({ eventType }) =>
    String(EventType[eventType ?? 0]).replace('EVENT_TYPE_', ''),
  );
}

/** Events that begin what the server writes at once; a batch ends before them. */
const BEGIN_A_BATCH = ['WORKFLOW_TASK_STARTED', 'WORKFLOW_TASK_COMPLETED', 'ACTIVITY_TASK_STARTED'];

/** After how many events a process can be found: not between events that are written at once. */
export function momentsOf(history: readonly string[]): readonly number[] {
  return history
    .map((_, at) => at + 1)
    .filter((length) => BEGIN_A_BATCH.includes(history[length] ?? 'WORKFLOW_TASK_STARTED'));
}
