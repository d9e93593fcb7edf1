/**
 * Measures systems side by side: round by round, each in its turn, so that what else happens on
 * the machine hits them alike, and ratios mean more than the numbers that they are made of.
 */
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
  /** Milliseconds of processor time each, by process, the background included; `driver` is this one. */
  readonly cpuMs: CpuMs;
  /** What the other systems, which rest, used meanwhile: a share of one core. */
  readonly othersShare: number;
}

export interface Measured {
  readonly name: string;
  readonly load: Load;
  readonly rounds: readonly Round[];
}

/** Rounds before those that count. */
const WARM_UPS = 1;

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
  const measured = new Map<System, Round[]>(systems.map((system) => [system, []]));
  for (let index = -WARM_UPS; index < rounds; index += 1) {
    const first = (index + WARM_UPS) % systems.length;
    for (const system of [...systems.slice(first), ...systems.slice(0, first)]) {
      const others = systems.filter((other) => other !== system);
      const round = await measureRound(system, load, others);
      if (index >= 0) {
        measured.get(system)?.push(round);
      }
    }
  }
  return [...measured].map(([{ name }, its]) => ({ name, load, rounds: its }));
}

async function measureRound(system: System, load: Load, others: readonly System[]): Promise<Round> {
  await work(system, { ...load, each: 1 }); // connections that were closed meanwhile are made anew
  await system.settled?.();
  const watchedOthers = others.flatMap(({ watched }) => watched).filter(isForeignTo(system));

  const before = readTimes(system.watched);
  const othersBefore = readCpu(watchedOthers);
  const beganAt = performance.now();
  const latenciesMs = await work(system, load);
  const elapsedMs = performance.now() - beganAt;
  const busyMs = totalOf(cpuBetween(before, readTimes(system.watched)));
  const othersMs = totalOf(cpuBetween(othersBefore, readCpu(watchedOthers)));
  await system.settled?.();
  const used = cpuBetween(before, readTimes(system.watched));

  const done = latenciesMs.length;
  const perSecond = (1_000 * done) / elapsedMs;
  return {
    latenciesMs,
    perSecond,
    perSecondWithBackground: (perSecond * busyMs) / totalOf(used),
    cpuMs: new Map([...used].map(([name, ms]) => [name, ms / done])),
    othersShare: othersMs / elapsedMs,
  };
}

/** Systems of bare Temporal share their worker. */
function isForeignTo({ watched }: System): (other: Watched) => boolean {
  return ({ pid }) => watched.every((own) => own.pid !== pid);
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
