/** Histories with the events that the server would have added, had the time come. */
import { temporal } from '@temporalio/proto';

type History = temporal.api.history.v1.IHistory;
type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const { EventType } = temporal.api.enums.v1;

/** The timer that was started last, in milliseconds since 1970. */
export function timerOf({ events }: History) {
  const event = events?.findLast((it) => it.timerStartedEventAttributes != null);
  const timer = event?.timerStartedEventAttributes;
  if (event?.eventId == null || timer?.timerId == null) {
    throw new Error('no timer was started');
  }
  const startedMs = millisecondsOf(event.eventTime);
  const firesMs = startedMs + millisecondsOf(timer.startToFireTimeout);
  return { startedMs, firesMs, timerId: timer.timerId, startedEventId: event.eventId };
}

/** The last timer fires, and the workflow, which was idle, schedules an activity. */
export function afterItsTimer(
  history: History,
  { atMs, scheduled }: { readonly atMs: number; readonly scheduled: string },
): History {
  const { timerId, startedEventId } = timerOf(history);
  const events = history.events ?? [];
  const last = Number(events.at(-1)?.eventId);
  const activities = events.filter(isActivity); // numbered together, local ones too
  const [fired, task, begun, done, activity] = [1, 2, 3, 4, 5].map((place) => last + place);
  const eventTime = { seconds: Math.floor(atMs / 1_000), nanos: (atMs % 1_000) * 1_000_000 };
  const added = [
    {
      eventId: fired,
      eventType: EventType.EVENT_TYPE_TIMER_FIRED,
      timerFiredEventAttributes: { timerId, startedEventId },
    },
    {
      eventId: task,
      eventType: EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
      workflowTaskScheduledEventAttributes: {},
    },
    {
      eventId: begun,
      eventType: EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
      workflowTaskStartedEventAttributes: { scheduledEventId: task },
    },
    {
      eventId: done,
      eventType: EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
      workflowTaskCompletedEventAttributes: { scheduledEventId: task, startedEventId: begun },
    },
    {
      eventId: activity,
      eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
      activityTaskScheduledEventAttributes: {
        activityId: String(activities.length + 1),
        activityType: { name: scheduled },
        workflowTaskCompletedEventId: done,
      },
    },
  ];
  return { events: [...events, ...added.map((event) => ({ ...event, eventTime }))] } as History;
}

function isActivity(event: HistoryEvent): boolean {
  const { activityTaskScheduledEventAttributes: regular, markerRecordedEventAttributes } = event;
  return regular != null || markerRecordedEventAttributes?.markerName === 'core_local_activity';
}

function millisecondsOf(time: HistoryEvent['eventTime']): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
}
