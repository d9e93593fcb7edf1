/** Activities do what a workflow of ours has sealed for them, and nothing else. */
import { jest } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Rejection } from '../../domain/rejections.js';
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
