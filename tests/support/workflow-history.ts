/** A workflow's history in Temporal, by the types of its events. */
import type { WorkflowHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

const { EventType } = temporal.api.enums.v1;

/** As `WORKFLOW_TASK_STARTED`, in order. */
export async function eventTypesOf(
  workflow: Pick<WorkflowHandle, 'fetchHistory'>,
): Promise<readonly string[]> {
  const { events } = await workflow.fetchHistory();
  return (events ?? []).map(({ eventType }) =>
    String(EventType[eventType ?? 0]).replace('EVENT_TYPE_', ''),
  );
}

/** Events that begin what the server writes at once; a batch ends before them. */
const BEGIN_A_BATCH = [
  'WORKFLOW_TASK_STARTED',
  'WORKFLOW_TASK_COMPLETED',
  'ACTIVITY_TASK_STARTED',
  'WORKFLOW_EXECUTION_SIGNALED',
];

/** After how many events a process can be found: not between events that are written at once. */
export function momentsOf(history: readonly string[]): readonly number[] {
  return history
    .map((_, at) => at + 1)
    .slice(1) // a start is written with the event that follows
    .filter((length) => BEGIN_A_BATCH.includes(history[length] ?? 'WORKFLOW_TASK_STARTED'));
}
