/** Small runs of `npm run bench:*`, so that they keep working. */
import { benchFairness } from '../../bench/fairness.js';
import { PRESENT } from '../../bench/builds.js';
import { benchHostile } from '../../bench/hostile.js';
import { INPUTS } from '../../bench/hostile/inputs.js';
import { benchHttp } from '../../bench/http.js';
import { benchIdle } from '../../bench/idle.js';
import { benchPipelines } from '../../bench/pipeline.js';
import type { Contest } from '../../bench/program.js';
import { benchTurns } from '../../bench/turn.js';
import { benchPlace, type BenchPlace } from '../support/bench-place.js';

const SMALL = { rounds: 1, atOnce: null, statements: false } as const;
const LOADS = [{ users: 2, each: 1 }];

let bench: BenchPlace;
let other: BenchPlace;
/** The same build twice, each with a database of its own. */
let contest: Contest;
beforeAll(async () => {
  [bench, other] = await Promise.all([benchPlace(), benchPlace({ ...PRESENT, name: 'other' })]);
  contest = { products: [other.place, bench.place], bare: bench.place };
});
afterAll(async () => {
  await bench.remove();
  await other.remove();
});

/** Cells of a report’s row, without its title. */
function numbersOf(report: readonly string[], title: string): readonly number[] {
  const row = report.join('\n').split('\n');
  const cells = row.find((line) => line.startsWith(`| ${title} `))?.split('|') ?? [];
  return cells.slice(2, -1).map(Number);
}

/** p50, p95, per second, CPU, three ratios to bare, and three to the other build. */
const COLUMNS = 10;

test('a chat turn is measured against bare Temporal and another build', async () => {
  const report = await benchTurns(contest, { ...SMALL, loads: LOADS });
  const [atOnce, ...measured] = numbersOf(report, 'this');
  expect(atOnce).toBe(2);
  expect(measured).toHaveLength(COLUMNS);
  for (const number of measured) {
    expect(number).toBeGreaterThan(0);
  }
});

test('a pipeline is measured against bare Temporal with 19 commits and another build', async () => {
  const report = await benchPipelines(contest, { ...SMALL, loads: LOADS });
  const [atOnce, ...measured] = numbersOf(report, 'this');
  expect(atOnce).toBe(2);
  expect(measured).toHaveLength(COLUMNS);
  for (const number of measured) {
    expect(number).toBeGreaterThan(0);
  }
  expect(numbersOf(report, 'bare, 19 commits')[0]).toBe(2);
  const threads = report
    .join('\n')
    .split('\n')
    .find((line) => line.includes('worker/main'));
  expect(threads).toContain('worker/workflows');
});

test('requests are measured against bare Koa', async () => {
  const report = await benchHttp(contest, { ...SMALL, loads: [{ users: 2, each: 20 }] });
  const tables = report.filter((section) => section.includes('per second'));
  expect(tables).toHaveLength(2);
  for (const table of tables) {
    const [atOnce, ...measured] = numbersOf([table], 'this');
    expect(atOnce).toBe(2);
    expect(measured).toHaveLength(COLUMNS);
    for (const number of measured) {
      expect(number).toBeGreaterThan(0);
    }
  }
});

test('memory, processor time and starts of a product at rest are measured', async () => {
  const { bare, products } = contest;
  const present = { bare, products: products.slice(-1) };
  const report = await benchIdle(present, { restMs: 500, discussions: 2 });
  for (const process of ['this: api', 'this: worker']) {
    const [rss = 0, pss = 0] = numbersOf(report, process);
    expect(pss).toBeGreaterThan(0);
    expect(rss).toBeGreaterThanOrEqual(pss);
  }
  expect(numbersOf(report, 'bare')).toHaveLength(3);
  const [start, stop] = numbersOf(report.slice(-1), 'this');
  expect(start).toBeGreaterThan(0);
  expect(stop).toBeGreaterThan(0);
});

test('a run beside another user’s crowd is measured', async () => {
  const scene = { title: 'two at once', slots: 2, modelMs: 10 };
  const report = await benchFairness(bench.place, { ...SMALL, scenes: [scene], crowdRuns: 1 });
  const ways = ['beside 200, without priority and fairness', 'beside 200, fairness by user'];
  for (const way of ['alone', ...ways]) {
    expect(numbersOf(report, way)[0]).toBeGreaterThan(0);
  }
});

test('what another user notices of a hostile input is measured', async () => {
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
