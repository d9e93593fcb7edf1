/**
 * How the cost of a function grows with its input. Costs are processor time of this thread, so that
 * a busy machine changes them little; what is judged is their growth, never their size.
 */
import process from 'node:process';

/** Makes what is measured for an input of `size`; the making is not measured. */
export type Prepare = (size: number) => () => unknown;

/** Linear is 1, n log n is nearly 1.1 here, quadratic is 2. */
const MAX_EXPONENT = 1.3;
/** In microseconds: what costs less is lost in the noise of compiling and collecting garbage. */
const FLOOR_US = 8_000;
const SMALLEST = 64;
/** Of the largest input: four times what a user may send in a message. */
export const LARGEST = 262_144;
const SAMPLES = 5;
/** In microseconds: what costs more is far beyond any noise, and measured once. */
const DEAR_US = 200_000;
/** What grows too fast does so each time. */
const TRIES = 6;

/** @throws for what grows faster than its input, with how fast it grows */
export function expectLinear(prepare: Prepare, largest = LARGEST): void {
  const exponent = exponentOf(prepare, largest);
  if (exponent > MAX_EXPONENT) {
    throw new Error(`the cost grows with the power of ${exponent.toFixed(2)} of the size`);
  }
}

/** From the smallest size that can be measured; 0 where even the largest costs next to nothing. */
function exponentOf(prepare: Prepare, largest: number): number {
  for (let size = SMALLEST; size * 4 <= largest; size *= 4) {
    const dearest = costOf(prepare(size * 4));
    if (dearest > FLOOR_US) {
      const [tries, samples] = dearest > DEAR_US ? [1, 1] : [TRIES, SAMPLES];
      const exponent = smallestOf(tries, () => measuredExponent(prepare, size, samples));
      if (exponent > MAX_EXPONENT || size * 16 > largest) {
        return exponent;
      }
    }
  }
  return 0;
}

/** Between `size` and four times as much. */
function measuredExponent(prepare: Prepare, size: number, count: number): number {
  const runs = [prepare(size), prepare(size * 2), prepare(size * 4)];
  const samples = runs.map((): number[] => []);
  for (let sample = 0; sample < count; sample += 1) {
    runs.forEach((run, at) => samples[at]?.push(costOf(run)));
  }
  const [once = 0, , fourTimes = 0] = samples.map(medianOf);
  return fourTimes < FLOOR_US ? 0 : Math.log(fourTimes / Math.max(once, 1)) / Math.log(4);
}

function smallestOf(tries: number, measure: () => number): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let at = 0; at < tries && smallest > MAX_EXPONENT; at += 1) {
    smallest = Math.min(smallest, measure());
  }
  return smallest;
}

function costOf(run: () => unknown): number {
  const begun = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(begun);
  return user + system;
}

function medianOf(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
}
