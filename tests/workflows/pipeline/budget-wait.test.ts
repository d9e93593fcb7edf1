import { jest } from '@jest/globals';
import {
  holdForBudget,
  isInForce,
  type BudgetKnowledge,
} from '../../../workflows/pipeline/budget-wait.js';

const inboxOf = (budgetChanges = 0): BudgetKnowledge => ({ budgetChanges });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function at(time: string): number {
  const date = new Date(time);
  jest.setSystemTime(date);
  return date.getTime();
}

test.each([
  ['in the evening', '2026-11-24T23:59:59.999Z', '2026-11-25T00:00:00Z'],
  ['in the morning', '2026-11-24T00:00:00Z', '2026-11-25T00:00:00Z'],
  ['at the end of a year', '2026-12-31T12:00:00Z', '2027-01-01T00:00:00Z'],
])(
  'a run that the day does not cover waits until a little after the next UTC day: %s',
  (...row) => {
    const [, now, midnight] = row;
    at(now);
    const hold = holdForBudget(inboxOf());
    const delayMs = hold.untilMs - new Date(midnight).getTime();
    expect(delayMs).toBeGreaterThanOrEqual(5_000);
    expect(delayMs).toBeLessThanOrEqual(35_000);
    expect(isInForce(hold, inboxOf())).toBe(true);
    at(midnight);
    expect(isInForce(hold, inboxOf())).toBe(true); // the clocks of server and worker may differ
    jest.setSystemTime(hold.untilMs);
    expect(isInForce(hold, inboxOf())).toBe(false);
  },
);

test('a budget that was changed since ends the wait, one that was changed before does not', () => {
  at('2026-11-24T12:00:00Z');
  const hold = holdForBudget(inboxOf(1));
  expect(isInForce(hold, inboxOf(1))).toBe(true);
  expect(isInForce(hold, inboxOf(2))).toBe(false);
  expect(isInForce(null, inboxOf(1))).toBe(false);
});
