/** A small run of `npm run bench:budget`, so that it keeps working. */
import { benchBudget } from '../../bench/budget.js';
import { picoOf, usdOf } from '../../bench/budget/decimals.js';
import { benchPlace, type BenchPlace } from '../support/bench-place.js';

let bench: BenchPlace;
beforeAll(async () => {
  bench = await benchPlace();
});
afterAll(() => bench.remove());

test('no budget is overshot, and the ledger is the vendor’s bill, also when processes are killed', async () => {
  const small = { users: 3, rounds: 1, budgetUsd: '0.008', kills: 1 };
  const { table, broken } = await benchBudget(bench.place, small);
  expect(broken).toEqual([]);
  expect(table).toMatch(/workers killed +\| +1 /);
  const refused = /refused +\| +(\d+) /.exec(table)?.[1];
  expect(Number(refused)).toBeGreaterThan(0);
});

test('amounts are exact to the last decimal', () => {
  expect(picoOf('12.000000000001')).toBe(12_000_000_000_001n);
  expect(picoOf('3')).toBe(3_000_000_000_000n);
  expect(usdOf(12_000_000_000_001n)).toBe('$12.000000000001');
  expect(usdOf(150_000_000n)).toBe('$0.000150');
});
