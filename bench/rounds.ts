/**
 * Measures systems side by side: round by round, each in its turn, so that what else happens on
 * the machine hits them alike, and ratios mean more than the numbers that they are made of.
 */
import { cpuBetween, readCpu, type CpuMs, type Watched } from './cpu.js';
import { median, quantile, sum } from './numbers.js';

export interface System {
  readonly name: string;
  /** One turn, or one run, of one of its users; resolves when the answer is there. */
  readonly once: (user: number) => Promise<void>;
}

/** Each of `users` does `each` of them, one after the other; all users at once. */
export interface Load {
  readonly users: number;
  readonly each: number;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly watched: readonly Watched[];
}

export interface Round {
  readonly latenciesMs: readonly number[];
  readonly perSecond: number;
  /** Milliseconds of processor time per turn or run, by process; `driver` is this one. */
  readonly cpuMs: CpuMs;
}

export interface Measured {
  readonly name: string;
  readonly load: Load;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly perSecond: number;
  readonly cpuMs: CpuMs;
  readonly rounds: readonly Round[];
}

/** Rounds before those that count. */
const WARM_UPS = 1;

/** All systems under one load after the other. */
export async function measureLoads(
  systems: readonly System[],
  loads: readonly Load[],
  options: RoundsOptions,
): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const load of loads) {
    measured.push(...(await measureRounds(systems, load, options)));
  }
  return measured;
}

/** @returns one for each system, in their order */
async function measureRounds(
  systems: readonly System[],
  load: Load,
  { rounds, watched }: RoundsOptions,
): Promise<readonly Measured[]> {
  const measured = new Map<System, Round[]>(systems.map((system) => [system, []]));
  for (let index = -WARM_UPS; index < rounds; index += 1) {
    const first = (index + WARM_UPS) % systems.length;
    for (const system of [...systems.slice(first), ...systems.slice(0, first)]) {
      const round = await measureRound(system, load, watched);
      if (index >= 0) {
        measured.get(system)?.push(round);
      }
    }
  }
  return [...measured].map(([{ name }, its]) => summaryOf(name, load, its));
}

/** How many times as long as the other one a turn takes: the median over the rounds. */
export function slowdown(of: Measured, against: Measured): number {
  return medianRatio(of, against, ({ latenciesMs }) => median(latenciesMs));
}

/** How many times as many are done in the same time: the median over the rounds. */
export function throughputRatio(of: Measured, against: Measured): number {
  return medianRatio(of, against, ({ perSecond }) => perSecond);
}

function medianRatio(of: Measured, against: Measured, valueOf: (round: Round) => number): number {
  return median(
    of.rounds.flatMap((round, index) => {
      const other = against.rounds[index];
      return other === undefined ? [] : [valueOf(round) / valueOf(other)];
    }),
  );
}

async function measureRound(
  { once }: System,
  { users, each }: Load,
  watched: readonly Watched[],
): Promise<Round> {
  const latenciesMs: number[] = [];
  const cpuBefore = readTimes(watched);
  const beganAt = performance.now();
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      for (let count = 0; count < each; count += 1) {
        const startedAt = performance.now();
        await once(user);
        latenciesMs.push(performance.now() - startedAt);
      }
    }),
  );
  const elapsedMs = performance.now() - beganAt;
  const used = cpuBetween(cpuBefore, readTimes(watched));
  const done = latenciesMs.length;
  return {
    latenciesMs,
    perSecond: (1_000 * done) / elapsedMs,
    cpuMs: new Map([...used].map(([name, ms]) => [name, ms / done])),
  };
}

function readTimes(watched: readonly Watched[]): CpuMs {
  const { user, system } = process.cpuUsage();
  return new Map([['driver', (user + system) / 1_000], ...readCpu(watched)]);
}

function summaryOf(name: string, load: Load, rounds: readonly Round[]): Measured {
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs);
  const names = [...(rounds[0]?.cpuMs.keys() ?? [])];
  const meanCpu = (process: string): number =>
    sum(rounds.map(({ cpuMs }) => cpuMs.get(process) ?? 0)) / rounds.length;
  return {
    name,
    load,
    rounds,
    p50Ms: median(latencies),
    p95Ms: quantile(latencies, 0.95),
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMs: new Map(names.map((process) => [process, meanCpu(process)])),
  };
}
