/** The real workflow of a run with slow activities, where their order matters. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { temporal } from '@temporalio/proto';
import type { Activities } from '../../../activities/index.js';
import type { NodeCall } from '../../../activities/node/context.js';
import { nextUtcDay } from '../../../domain/account/days.js';
import type { Design } from '../../../domain/design/designs.js';
import type { FinalStatus } from '../../../domain/run/results.js';
import type { PipelineView } from '../../../workflows/pipeline/pipeline.messages.js';
import { agentOf, designOf, edgesOf } from '../../support/designs.js';
import { bundleMutant } from '../../support/mutants.js';
import { until } from '../../support/until.js';
import { openPipelineFixture, resultOf, untilShown } from '../../support/pipeline-fixture.js';
import { FIXTURE_CODE } from '../../support/workflow-fixture.js';

let fixture: Awaited<ReturnType<typeof openPipelineFixture>>;
beforeAll(async () => {
  fixture = await openPipelineFixture();
});
afterAll(() => fixture.close());
const running: typeof fixture.running = (...run) => fixture.running(...run);

const GATED = designOf([agentOf('gate', { approval: true }), agentOf('last')]);

test('a decision that is recorded together with the wait that it ends replays', async () => {
  const run = await running(GATED, ({ calls, handle }) => ({
    async parkRun() {
      await handle().signal('approvalOffered', { node: 'gate', offerId: randomUUID() });
      await until('the decision is taken', () => calls.includes('takeDecision gate'));
    },
    async takeDecision() {
      await untilShown(handle(), 'waiting-approval');
      return { kind: 'approved' };
    },
  }));
  expect(await run.ended()).toContain('runAgent last');
  await run.replay();
});

const over = (type: string) => ApplicationFailure.nonRetryable('the day does not cover it', type);

test('a budget that is raised between the refusal and its report lets the call be made', async () => {
  let refusals = 0;
  const run = await running(
    designOf(['dear']),
    ({ handle }) => ({
      async runAgent(call) {
        if (refusals === 0) {
          refusals += 1;
          await handle().signal('budgetChanged'); // before the refusal reaches the run
          throw over('over-budget');
        }
        return Promise.resolve(resultOf(call));
      },
    }),
    { onBudget: 'pause' },
  );
  await until('it is made', () => run.calls.filter((it) => it === 'runAgent dear').length === 2);
  expect(await run.ended()).not.toContain('parkRun');
});

test('a run that the day does not cover goes on a little after midnight (UTC), and no sooner', async () => {
  const run = await running(
    designOf(['dear']),
    () => ({ runAgent: () => Promise.reject(over('over-budget')) }),
    { onBudget: 'pause' },
  );
  await run.untilShown('waiting-budget');
  const history = await run.handle.fetchHistory();
  await run.handle.terminate();
  const { startedMs, firesMs } = timerOf(history);
  const midnightMs = nextUtcDay(new Date(startedMs)).getTime();
  expect(firesMs).toBeGreaterThanOrEqual(midnightMs + 5_000);
  expect(firesMs).toBeLessThanOrEqual(midnightMs + 40_000); // the task that starts it takes its time
  const replayed = (atMs: number) =>
    Worker.runReplayHistory(
      FIXTURE_CODE,
      afterItsTimer(history, { atMs, scheduled: 'unparkRun' }),
      run.handle.workflowId,
    );
  await replayed(firesMs);
  await expect(replayed(midnightMs)).rejects.toThrow(DeterminismViolationError);
});

test('the time that a run waits for a person does not count as its own', async () => {
  const run = await running(GATED, () => ({}));
  await run.untilShown('waiting-approval');
  const [limit, deadline] = ['1', '2'];
  const waiting = [`${limit} started`, `${deadline} started`, `${limit} canceled`];
  expect(await run.timers()).toEqual(waiting);
  await run.offer('gate');
  expect(await run.ended()).toContain('runAgent last');
  const rest = (await run.timers()).slice(waiting.length);
  expect(rest.toSorted()).toEqual([`${deadline} canceled`, '3 canceled', '3 started']);
});

test('no person is asked again about an answer that is taken over', async () => {
  const reuse = { from: randomUUID(), nodes: ['gate'] };
  const run = await running(GATED, () => ({}), { reuse });
  expect(await run.ended()).toEqual(['openRun', 'runAgent gate', 'runAgent last', 'closeRun']);
});

test('a rejection that is recorded while another one ends the run is taken into account', async () => {
  const outcomes: unknown[] = [];
  const design = designOf(
    ['first', 'left', 'right'].map((name) => agentOf(name, { approval: name !== 'first' })),
    { edges: edgesOf('first>left', 'first>right') },
  );
  const run = await running(design, ({ calls, handle }) => ({
    async takeDecision({ node }) {
      if (node === 'left') {
        await until('both are taken', () => calls.includes('takeDecision right'));
      } else {
        await until('the run knows of the other one', async () => {
          const { nodes } = await handle().query<PipelineView>('state');
          return nodes.some((it) => it.node === 'left' && it.state === 'failed');
        });
      }
      return { kind: 'rejected', receipt: { ...resultOf({ node }), status: 'failed' } };
    },
    closeRun({ pipelineId, outcome }) {
      outcomes.push(outcome);
      return Promise.resolve({ pipelineId, status: 'partial', totalCostUsd: 0 });
    },
  }));
  await Promise.all([run.offer('left'), run.offer('right')]);
  expect((await run.ended()).at(-1)).toBe('closeRun');
  expect(outcomes).toEqual([{ kind: 'ended' }]); // nothing was left that could have been started
  await run.replay();
});

/** The outcomes with which a run has been closed. */
async function outcomeOf(design: Design, meddle: Partial<Activities>, code?: string) {
  const outcomes: unknown[] = [];
  const more = code === undefined ? {} : { code };
  const meddling = () => ({
    ...meddle,
    closeRun({ pipelineId, outcome }: Parameters<Activities['closeRun']>[0]) {
      outcomes.push(outcome);
      return Promise.resolve({ pipelineId, status: 'failed' as const, totalCostUsd: 0 });
    },
  });
  const run = await running(design, meddling, more);
  expect((await run.ended()).at(-1)).toBe('closeRun');
  if (code === undefined) {
    await run.replay();
  }
  return outcomes;
}

test.each([
  ['of no node', { node: 'ghost' }],
  ['of a node that has not begun', { node: 'last' }],
])('an end %s ends the run as an error of ours, and the worker goes on', async (_, other) => {
  const design = designOf(['first', 'last']);
  const runAgent = (call: NodeCall) => Promise.resolve({ ...resultOf(call), ...other });
  expect(await outcomeOf(design, { runAgent })).toEqual([{ kind: 'internal' }]);
  expect(await outcomeOf(design, {})).toEqual([{ kind: 'ended' }]); // by the same process
});

test('a rejection of no node ends the run as an error of ours', async () => {
  const receipt = { ...resultOf({ node: 'ghost' }), status: 'failed' } as const;
  const outcomes = await outcomeOf(GATED, {
    askForApproval: () => Promise.resolve({ deadlineMs: Date.now() }),
    takeDecision: () => Promise.resolve({ kind: 'rejected', receipt }),
  });
  expect(outcomes).toEqual([{ kind: 'internal' }]);
});

test('an agent that throws what it should not ends its run as an error of ours', async () => {
  const runAgent = () => Promise.reject(ApplicationFailure.nonRetryable('ours', 'internal'));
  expect(await outcomeOf(designOf(['first']), { runAgent })).toEqual([{ kind: 'internal' }]);
});

test('a run that nothing can move on says so and ends, where it once held up all others', async () => {
  const code = await bundleMutant({
    title: 'an end of no node is passed over, as it was before',
    file: 'pipeline/work.ts',
    from: 'if (state === progress.state && patched(UNFIT_ENDS))',
    to: 'if (false)',
  });
  const runAgent = (call: NodeCall) => Promise.resolve({ ...resultOf(call), node: 'ghost' });
  const outcomes = await outcomeOf(designOf(['first', 'last']), { runAgent }, code);
  expect(outcomes).toEqual([{ kind: 'internal', why: 'no-progress' }]);
});

test.each([
  ['as long as its calls may take', 60_000, (10_000 + 10_000) * 6 + 150_000],
  ['as long as a run that may take longer', 3_600_000, 3_600_000],
])('an attempt of an agent may take %s', async (_, timeoutMs, expectedMs) => {
  const run = await running(designOf(['reader']), () => ({}), { timeoutMs });
  await run.ended();
  const { events } = await run.handle.fetchHistory();
  const limits = (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: it }) => it?.startToCloseTimeout ?? [],
  );
  expect(limits.map(({ seconds }) => Number(seconds) * 1_000)).toEqual([expectedMs]);
});

describe('a run that has ended is shown by Temporal as', () => {
  /** Of a run whose only agent fails, and whose record ends so. */
  async function ending(status: FinalStatus) {
    const run = await running(designOf(['first']), () => ({
      runAgent: (call) => {
        const receipt = { ...resultOf(call), status: 'failed', errorCode: 'model-key-refused' };
        return Promise.reject(
          ApplicationFailure.nonRetryable('advice', 'model-key-refused', receipt),
        );
      },
      closeRun: ({ pipelineId }) => Promise.resolve({ pipelineId, status, totalCostUsd: 0 }),
    }));
    await run.ended();
    await run.replay();
    return run.handle;
  }

  test.each([
    ['failed', 'FAILED'],
    ['timeout', 'FAILED'],
    ['partial', 'COMPLETED'],
    ['completed', 'COMPLETED'],
  ] as const)('one whose record says %s: %s', async (status, shown) => {
    const handle = await ending(status);
    expect((await handle.describe()).status.name).toBe(shown);
  });

  test('with a failure that says why in words of ours, and holds how it ended', async () => {
    const handle = await ending('failed');
    const failure = await handle.result().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      cause: {
        type: 'run-failed',
        nonRetryable: true,
        message: expect.stringMatching(
          /^failed \(model-key-refused\): Let the user replace the vendor key/,
        ),
        details: [{ status: 'failed', totalCostUsd: 0 }],
      },
    });
  });
});

type History = temporal.api.history.v1.IHistory;
type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const { EventType } = temporal.api.enums.v1;

/** The timer that was started last, in milliseconds since 1970. */
function timerOf({ events }: History) {
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
function afterItsTimer(
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
