/** What operators see of the attempts of an activity while it runs. */
import { jest } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { WorkflowOfAttempt } from '../../worker/interceptors/billing.js';
import { DomainError } from '../../domain/errors.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import { noteAsked, noteCall } from '../../llm/attempt-scope.js';
import type { ActivityMetrics } from '../../telemetry/worker-metrics.js';
import { ActivityLoad } from '../../worker/archiving/activity-load.js';
import { createActivityInterceptor } from '../../worker/interceptors/billing.js';

const NOW = Date.UTC(2026, 10, 24, 12);
const CALL = { stepId: 's', userId: 'u', pipelineId: 'p', conversationId: null, node: 'writer' };
const WORKFLOW = { workflowId: 'pipeline-p', runId: 'r' };
const RETRY = { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 30_000 };

beforeEach(() => {
  jest.useFakeTimers({ now: NOW, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

type Info = ConstructorParameters<typeof MockActivityEnvironment>[0];

/** An attempt of `runAgent` that does so. */
async function attempting(work: () => Promise<unknown>, info: Info = {}, argument: object = CALL) {
  const reports: [WorkflowOfAttempt, FailedAttempt][] = [];
  const beats: unknown[] = [];
  const waitedMs: number[] = [];
  const metrics: ActivityMetrics = {
    queueLatency: (_, ms) => void waitedMs.push(ms),
    ...{ failed: () => undefined, mistake: () => undefined, rejected: () => undefined },
    begun: () => () => undefined,
  };
  const { execute } = createActivityInterceptor({
    metrics,
    load: new ActivityLoad(),
    reportFailedAttempt: (workflow, failed) => void reports.push([workflow, failed]),
  });
  const environment = new MockActivityEnvironment({
    ...{ activityType: 'runAgent', attempt: 3, workflowExecution: WORKFLOW, retryPolicy: RETRY },
    ...info,
  });
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const failure = await environment
    .run(async () => execute?.({ args: [argument], headers: {} }, work))
    .then(
      () => null,
      (error: unknown) => error,
    );
  return { reports, beats, waitedMs, failure };
}

const away = new DomainError('model-unavailable', 'the words of a vendor');

test('a heartbeat holds the attempt, the provider asked and since when, and earlier failures', async () => {
  const { beats } = await attempting(async () => {
    jest.advanceTimersByTime(1_000);
    const failed = noteAsked('openai', 'gpt-4o');
    jest.advanceTimersByTime(1_000);
    failed(away);
    noteAsked('anthropic', 'claude-sonnet-4-5');
    jest.advanceTimersByTime(1_000);
    return Promise.resolve();
  });
  expect(beats).toEqual([
    { attempt: 3 },
    { attempt: 3, vendor: 'openai', model: 'gpt-4o', since: '2026-11-24T12:00:01.000Z' },
    {
      ...{ attempt: 3, vendor: 'anthropic', model: 'claude-sonnet-4-5' },
      ...{ since: '2026-11-24T12:00:02.000Z', failed: 'openai gpt-4o: model-unavailable' },
    },
  ]);
});

function failing(error: Error) {
  return () => {
    noteAsked('openai', 'ft:of-a-user')(away);
    return Promise.reject(error);
  };
}

test('an attempt that fails and is made again is signalled to its workflow, in words of ours', async () => {
  const { reports, failure } = await attempting(failing(away));
  expect(reports).toEqual([
    [
      WORKFLOW,
      {
        ...{ activity: 'runAgent', node: 'writer', attempt: 3, code: 'model-unavailable' },
        asked: [{ vendor: 'openai', model: 'ft:of-a-user', code: 'model-unavailable' }],
        advice: expect.stringMatching(/^Nothing to do yet/),
        ...{ failedAtMs: NOW, nextAtMs: NOW + 4_000 },
      },
    ],
  ]);
  expect(JSON.stringify(reports)).not.toContain('the words of a vendor');
  expect(failure).toMatchObject({
    message: expect.stringMatching(/^Nothing to do yet.* Asked: openai: model-unavailable\.$/),
  });
});

test('a turn names the question that it asks, and its failed attempts are reported', async () => {
  const turn = { userId: 'u', conversationId: 'c', message: { messageId: 'm', content: 'x' } };
  const { reports, beats } = await attempting(
    async () => {
      noteCall('understand the request');
      jest.advanceTimersByTime(1_000);
      return failing(away)();
    },
    { activityType: 'takeTurn' },
    turn,
  );
  expect(beats).toEqual([{ attempt: 3, call: 'understand the request' }]);
  expect(reports).toMatchObject([
    [WORKFLOW, { activity: 'takeTurn', call: 'understand the request', node: null, attempt: 3 }],
  ]);
});

test('the next attempt is announced for when the failure asks for it', async () => {
  const later = new DomainError('model-rate-limited', '', { retryAfterSeconds: 20 });
  const { reports } = await attempting(failing(later));
  expect(reports[0]?.[1].nextAtMs).toBe(NOW + 20_000);
  const often = await attempting(failing(away), { attempt: 8 });
  expect(often.reports[0]?.[1].nextAtMs).toBe(NOW + RETRY.maximumInterval);
});

test.each([
  ['that ends its activity', ApplicationFailure.nonRetryable('no', 'model-refused'), {}],
  ['of very many', away, { attempt: 17 }],
] as const)('an attempt %s is not told', async (_, error, info) => {
  expect((await attempting(failing(error), info)).reports).toEqual([]);
});

test('an activity that makes no paid call signals nothing to its workflow', async () => {
  const { reports } = await attempting(() => Promise.reject(away), {}, { pipelineId: 'p' });
  expect(reports).toEqual([]);
});

test('what an activity waits after a failure does not count as waiting for a worker', async () => {
  const times = {
    scheduledTimestampMs: NOW - 60_000,
    currentAttemptScheduledTimestampMs: NOW - 20,
  };
  expect((await attempting(() => Promise.resolve(), times)).waitedMs).toEqual([20]);
  const local = await attempting(() => Promise.resolve(), { ...times, isLocal: true });
  expect(local.waitedMs).toEqual([]); // nothing says when a later attempt of it was due
});
