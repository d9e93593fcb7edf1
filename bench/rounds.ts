/**
 * Measures systems side by side: round by round, each in its turn, so that what else happens on
 * the machine hits them alike, and ratios mean more than the numbers that they are made of.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { cpuBetween, readCpu, totalOf, type CpuMs, type Watched } from './cpu.js';
import { median, quantile, sum } from './numbers.js';

export interface System {
  readonly name: string;
  /** Its processes and its servers, which serve no other system. */
  readonly watched: readonly Watched[];
  /** One turn, one run or one request of one of its users; resolves when the answer is there. */
  readonly once: (user: number) => Promise<void>;
  /** Resolves when all that it does in the background is done. */
  readonly settled?: () => Promise<void>;
}

/** Each of `users` does `each` of them, one after the other; all users at once. */
export interface Load {
  readonly users: number;
  readonly each: number;
}

export interface Round {
  readonly latenciesMs: readonly number[];
  /** While users wait. */
  readonly perSecond: number;
  /** As if what was done in the background afterwards had been done at the same pace while users wait. */
  readonly perSecondWithBackground: number;
  /**
   * Milliseconds of processor time each, by process, `driver` being this one: the background included,
   * without what its processes use at rest while it is waited for.
   */
  readonly cpuMs: CpuMs;
}

export interface Measured {
  readonly name: string;
  readonly load: Load;
  readonly rounds: readonly Round[];
  /** What its processes use at rest: a share of one core. */
  readonly restShare: number;
}

/** Rounds before those that count. */
const WARM_UPS = 1;
const REST_MS = 3_000;

/** All systems under one load after the other. */
export async function measureLoads(
  systems: readonly System[],
  loads: readonly Load[],
  rounds: number,
): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const load of loads) {
    measured.push(...(await measureRounds(systems, load, rounds)));
  }
  return measured;
}

/** @returns one for each system, in their order */
async function measureRounds(
  systems: readonly System[],
  load: Load,
  rounds: number,
): Promise<readonly Measured[]> {
  const rest = await measureRest(systems);
  const measured = new Map<System, Round[]>(systems.map((system) => [system, []]));
  for (let index = -WARM_UPS; index < rounds; index += 1) {
    const first = (index + WARM_UPS) % systems.length;
    for (const system of [...systems.slice(first), ...systems.slice(0, first)]) {
      const round = await measureRound(system, load, rest.get(system) ?? new Map());
      if (index >= 0) {
        measured.get(system)?.push(round);
      }
    }
  }
  return [...measured].map(([system, its]) => {
    const restShare = totalOf(rest.get(system) ?? new Map()) / REST_MS;
    return { name: system.name, load, rounds: its, restShare };
  });
}

/** Milliseconds of processor time within `REST_MS`, by process. */
async function measureRest(systems: readonly System[]): Promise<ReadonlyMap<System, CpuMs>> {
  for (const system of systems) {
    await work(system, { users: 1, each: 1 });
    await system.settled?.();
  }
  const before = systems.map(({ watched }) => readCpu(watched));
  await pause(REST_MS);
  return new Map(
    systems.map((system, index) => [
      system,
      cpuBetween(before[index] ?? new Map(), readCpu(system.watched)),
    ]),
  );
}

async function measureRound(system: System, load: Load, rest: CpuMs): Promise<Round> {
  await work(system, { ...load, each: 1 }); // connections that were closed meanwhile are made anew
  await system.settled?.();

  const before = readTimes(system.watched);
  const beganAt = performance.now();
  const latenciesMs = await work(system, load);
  const endedAt = performance.now();
  const busyMs = totalOf(cpuBetween(before, readTimes(system.watched)));
  await system.settled?.();
  const used = cpuBetween(before, readTimes(system.watched));
  const rests = (performance.now() - endedAt) / REST_MS;

  const cpuMs = new Map([...used].map(([name, ms]) => [name, ms - rests * (rest.get(name) ?? 0)]));
  const done = latenciesMs.length;
  const perSecond = (1_000 * done) / (endedAt - beganAt);
  return {
    latenciesMs,
    perSecond,
    perSecondWithBackground: (perSecond * busyMs) / Math.max(busyMs, totalOf(cpuMs)),
    cpuMs: new Map([...cpuMs].map(([name, ms]) => [name, ms / done])),
  };
}

/** @returns how long each took */
async function work({ once }: System, { users, each }: Load): Promise<readonly number[]> {
  const latenciesMs: number[] = [];
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      for (let count = 0; count < each; count += 1) {
        const startedAt = performance.now();
        await once(user);
        latenciesMs.push(performance.now() - startedAt);
      }
    }),
  );
  return latenciesMs;
}

function readTimes(watched: readonly Watched[]): CpuMs {
  const { user, system } = process.cpuUsage();
  return new Map([['driver', (user + system) / 1_000], ...readCpu(watched)]);
}

/** The median over the rounds. */
export function medianOf({ rounds }: Measured, valueOf: (round: Round) => number): number {
  return median(rounds.map(valueOf));
}

/** The median over the rounds of one value divided by that of the other system's same round. */
export function medianRatio(
  of: Measured,
  against: Measured,
  valueOf: (round: Round) => number,
): number {
  return median(
    of.rounds.flatMap((round, index) => {
      const other = against.rounds[index];
      return other === undefined ? [] : [valueOf(round) / valueOf(other)];
    }),
  );
}

export function latencyOf({ rounds }: Measured, share: number): number {
  return quantile(
    rounds.flatMap(({ latenciesMs }) => latenciesMs),
    share,
  );
}

/** The mean over the rounds, by process. */
export function meanCpu({ rounds }: Measured, name: string): number {
  return sum(rounds.map(({ cpuMs }) => cpuMs.get(name) ?? NaN)) / rounds.length;
}
