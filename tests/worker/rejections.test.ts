/** Activities do what a workflow of ours has sealed for them, and nothing else. */
import { jest } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Rejection } from '../../domain/security/rejections.js';
import { createRejectingInterceptor } from '../../worker/interceptors/rejections.js';

function environment(counted: Rejection[], info: object = {}): MockActivityEnvironment {
  const inbound = createRejectingInterceptor((rejection) => counted.push(rejection));
  return new MockActivityEnvironment(info, { interceptors: [() => ({ inbound })] });
}

test.each([
  [
    'what is not sealed',
    [{ agentforgeRejected: 'unsealed', value: { userId: 'u' } }],
    {},
    'unsealed',
  ],
  [
    'a second argument that is not sealed',
    [{}, { agentforgeRejected: 'unreadable' }],
    {},
    'unreadable',
  ],
  ['nothing', [], {}, 'missing'],
  ['a start alone', [{ userId: 'u' }], { inWorkflow: false }, 'unexpected'],
])('%s is rejected, for good', async (_, args, info, reason) => {
  const counted: Rejection[] = [];
  const work = jest.fn(() => Promise.resolve());
  const failure = await environment(counted, info)
    .run(work as (...those: unknown[]) => Promise<void>, ...args)
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({ type: 'rejected', nonRetryable: true });
  expect(counted).toEqual([{ kind: 'activity', reason }]);
  expect(work).not.toHaveBeenCalled();
});

test('what is ours is carried out', async () => {
  const counted: Rejection[] = [];
  const double = ({ n }: { n: number }) => Promise.resolve(2 * n);
  expect(await environment(counted).run(double, { n: 2 })).toBe(4);
  expect(counted).toEqual([]);
});

describe('what was sealed for another call', () => {
  const [userId, conversationId, pipelineId] = ['u1', 'c1', 'p1'];
  const discussion = { conversationId, userId, role: 'free' };
  const run = { pipelineId, userId, conversationId };
  const turn = { conversationId, userId, message: { messageId: 'm', content: 'hello' } };
  const design = { stepId: 's', userId, conversationId, language: 'en' };
  const orders = [
    ['closeAccount', `discussion-${conversationId}`, discussion],
    ['closeAccount', `user-deletion-${userId}`, discussion],
    ['closeAccount', `discussion-${conversationId}`, { userId }],
    ['removeRecords', `pipeline-${pipelineId}`, run],
    ['removeWorkflows', `pipeline-${pipelineId}`, run],
    ['stopRuns', `user-deletion-${userId}`, { ...run, how: 'force' }],
    ['closeRun', `pipeline-${pipelineId}`, { pipelineId, outcome: { kind: 'ended' } }],
    ['saveTalk', `discussion-${conversationId}`, discussion],
    ['runAgent', `discussion-${conversationId}`, run],
    ['takeDecision', `discussion-${conversationId}`, { pipelineId, node: 'gate' }],
    ['takeDecision', `pipeline-${pipelineId}`, { pipelineId, node: 'gate', onTimeout: 'approve' }],
    ['analyzeIntent', `pipeline-${pipelineId}`, design],
    ['takeTurn', `pipeline-${pipelineId}`, turn],
    ['takeTurn', `discussion-${conversationId}`, discussion],
    ['checkKey', `pipeline-${pipelineId}`, { userId, keyId: 'k1' }],
    ['archiveRun', `pipeline-${pipelineId}`, run],
  ] as const;

  test.each(orders)('%s for workflow %s is rejected', async (activityType, workflowId, args) => {
    const counted: Rejection[] = [];
    const work = jest.fn(() => Promise.resolve());
    const info = { activityType, workflowExecution: { workflowId, runId: 'r' } };
    const done = environment(counted, info).run(work, args);
    await expect(done).rejects.toThrow('rejected (activity: unexpected)');
    expect(counted).toEqual([{ kind: 'activity', reason: 'unexpected' }]);
    expect(work).not.toHaveBeenCalled();
  });

  test.each([
    ['closeAccount', `user-deletion-${userId}`, { userId }, false],
    ['stopRuns', `user-deletion-${userId}`, { userId, how: 'look' }, false],
    ['closeRun', `pipeline-${pipelineId}`, { pipelineId, outcome: {} }, true],
    ['runAgent', `pipeline-${pipelineId}`, run, false],
    ['takeDecision', `pipeline-${pipelineId}`, { pipelineId, node: 'gate', offerId: null }, false],
    ['takeTurn', `discussion-${conversationId}`, turn, false],
    ['critiqueDesigns', `discussion-${conversationId}`, design, false],
    ['checkKey', 'validate-key-k1-c1', { userId, keyId: 'k1' }, false],
    ['archiveRun', `archive-${pipelineId}`, { pipelineId }, false],
    ['archiveDiscussion', 'archive-r1', { conversationId, userId, runId: 'r1' }, false],
    ['prune', 'retention', { kind: 'events' }, false],
  ])('but %s for %s is done', async (activityType, workflowId, args, isLocal) => {
    const counted: Rejection[] = [];
    const info = { activityType, workflowExecution: { workflowId, runId: 'r' }, isLocal };
    const work = (): Promise<string> => Promise.resolve('done');
    expect(
      await environment(counted, info).run(work as (it: unknown) => Promise<string>, args),
    ).toBe('done');
    expect(counted).toEqual([]);
  });
});
