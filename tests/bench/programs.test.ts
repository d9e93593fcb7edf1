/** Small ones of `npm run bench:*`, so that they are there when somebody wants to run them. */
import { benchFairness } from '../../bench/fairness.js';
import { benchHostile, PRESENT } from '../../bench/hostile.js';
import { INPUTS } from '../../bench/hostile/inputs.js';
import { benchPipelines } from '../../bench/pipeline.js';
import { benchTurns } from '../../bench/turn.js';
import { benchPlace, type BenchPlace } from '../support/bench-place.js';

const SMALL = { rounds: 1, atOnce: null, statements: false } as const;
const LOADS = [{ users: 2, each: 1 }];

let bench: BenchPlace;
beforeAll(async () => {
  bench = await benchPlace();
});
afterAll(() => bench.remove());

/** Cells of a report’s row, without its title. */
function numbersOf(report: readonly string[], title: string): readonly number[] {
  const row = report.join('\n').split('\n');
  const cells = row.find((line) => line.startsWith(`| ${title} `))?.split('|') ?? [];
  return cells.slice(2, -1).map(Number);
}

test('a chat turn is measured against bare Temporal', async () => {
  const report = await benchTurns(bench.place, { ...SMALL, loads: LOADS });
  const [atOnce, p50, p95, perSecond, ...ratios] = numbersOf(report, 'AgentForge');
  expect(atOnce).toBe(2);
  for (const measured of [p50, p95, perSecond, ...ratios]) {
    expect(measured).toBeGreaterThan(0);
  }
  expect(ratios).toHaveLength(4);
});

test('a pipeline is measured against bare Temporal', async () => {
  const report = await benchPipelines(bench.place, { ...SMALL, loads: LOADS });
  const [atOnce, ...measured] = numbersOf(report, 'AgentForge');
  expect(atOnce).toBe(2);
  expect(measured).toHaveLength(7);
  for (const number of measured) {
    expect(number).toBeGreaterThan(0);
  }
});

test('a run beside another user’s crowd is measured', async () => {
  const scene = { title: 'two at once', slots: 2, modelMs: 10 };
  const report = await benchFairness(bench.place, { ...SMALL, scenes: [scene], crowdRuns: 1 });
  const ways = ['beside 200, without priority and fairness', 'beside 200, fairness by user'];
  for (const way of ['alone', ...ways]) {
    expect(numbersOf(report, way)[0]).toBeGreaterThan(0);
  }
});

test('what another user feels of a hostile input is measured', async () => {
  const inputs = INPUTS.filter(({ name }) => name.startsWith('a sign-in'));
  const report = await benchHostile(bench.place, { builds: [PRESENT], inputs });
  const row =
    report
      .join('\n')
      .split('\n')
      .at(-1)
      ?.split('|')
      .map((cell) => cell.trim()) ?? [];
  expect(row[1]).toMatch(/^a sign-in/);
  for (const measured of row.slice(3, 6)) {
    expect(measured).toMatch(/^[\d.]+ \/ [\d.]+$/);
  }
  expect(row[9]).toMatch(/^4\d\d,/);
});
