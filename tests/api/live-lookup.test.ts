/** Looking up agents at work while PostgreSQL or Redis is away. */
import { jest } from '@jest/globals';
import { createLiveLookup } from '../../api/socket/live-lookup.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const REF = { pipelineId: '7b0c5a52-6d1c-4d0a-9d5e-0b1f3f5f7a11', node: 'a' };

function failing(times: number) {
  const asked: unknown[] = [];
  const failures: unknown[] = [];
  const taken: unknown[] = [];
  const lookup = createLiveLookup({
    find: (refs) => {
      asked.push(refs);
      return asked.length <= times ? Promise.reject(new Error('away')) : Promise.resolve([]);
    },
    take: (agents) => taken.push(agents),
    onFailure: (error) => failures.push(error),
  });
  return { lookup, asked, failures, taken };
}

test('a lookup that fails is reported once and repeated, for all agents, until it succeeds', async () => {
  const { lookup, asked, failures, taken } = failing(2);
  lookup.one(REF);
  await jest.advanceTimersByTimeAsync(1_999);
  expect([asked, taken]).toEqual([[[REF]], []]);
  await jest.advanceTimersByTimeAsync(2_001);
  expect(asked).toEqual([[REF], 'all', 'all']);
  expect([failures.length, taken]).toEqual([1, [[]]]);
});

test('a failure after a success is reported again', async () => {
  const { lookup, asked, failures } = failing(1);
  lookup.all();
  await jest.advanceTimersByTimeAsync(2_000);
  expect([asked.length, failures.length, lookup.underWay()]).toEqual([2, 1, null]);
});

test('one that was stopped is not repeated', async () => {
  const { lookup, asked, taken } = failing(1);
  lookup.all();
  lookup.stop();
  await jest.advanceTimersByTimeAsync(10_000);
  expect([asked.length, taken]).toEqual([1, []]);
});
