import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type ScheduleClient,
  type ScheduleDescription,
  type ScheduleOptions,
} from '@temporalio/client';
import { WORKFLOW_TASK_TIMEOUT } from '../domain/run/start.js';

/** `agentforge-retention` on the default task queue: products that share a namespace keep theirs. */
export function retentionScheduleId(taskQueue: string): string {
  return `${taskQueue}-retention`;
}

const HOUR_UTC = 3;
const JITTER_MS = 30 * 60_000;
/** A cluster that was away in the night makes up for it. */
const CATCH_UP = '12h';

/**
 * Sees to it that retention runs each night. Safe at every start and from several processes at
 * once: a schedule that is as it should be is left alone, and one that operators have paused stays
 * paused. Nothing in it is sealed, so that it outlives every encryption key.
 *
 * @throws what a cluster answers that does not let us
 */
export async function ensureRetentionSchedule(
  schedules: ScheduleClient,
  taskQueue: string,
): Promise<'created' | 'updated' | 'unchanged'> {
  const wanted = retentionOf(taskQueue);
  try {
    await schedules.create({ scheduleId: retentionScheduleId(taskQueue), ...wanted });
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) {
      throw error;
    }
  }
  const schedule = schedules.getHandle(retentionScheduleId(taskQueue));
  if (isAsWanted(await schedule.describe(), taskQueue)) {
    return 'unchanged';
  }
  await schedule.update(({ state }) => ({ ...wanted, state }));
  return 'updated';
}

function retentionOf(taskQueue: string): Omit<ScheduleOptions, 'scheduleId'> {
  return {
    spec: { calendars: [{ hour: HOUR_UTC }], jitter: JITTER_MS, timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType: 'retentionWorkflow',
      workflowId: retentionScheduleId(taskQueue),
      taskQueue,
      workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP },
  };
}

function isAsWanted({ spec, action, policies }: ScheduleDescription, taskQueue: string): boolean {
  const [hour] = spec.calendars?.[0]?.hour ?? [];
  return (
    hour?.start === HOUR_UTC &&
    spec.jitter === JITTER_MS &&
    policies.overlap === ScheduleOverlapPolicy.SKIP &&
    action.workflowType === 'retentionWorkflow' &&
    action.taskQueue === taskQueue
  );
}
