/** How much processor time processes have used, themselves and all that they have started. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Watched {
  readonly name: string;
  readonly pid: number;
}

/** Milliseconds of processor time so far, by name; empty where there is no /proc. */
export type CpuMs = ReadonlyMap<string, number>;

/** Source: proc(5); USER_HZ is 100 on every Linux. */
const TICK_MS = 10;
/** Source: proc(5), fields counted from the state that follows the `(name)`. */
const PARENT = 1;
/** utime, stime, and cutime, cstime: those of children that have ended. */
const TIMES = [11, 12, 13, 14];

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly ms: number;
}

export function readCpu(watched: readonly Watched[]): CpuMs {
  const all = readProcesses();
  if (all.length === 0) {
    return new Map();
  }
  return new Map(watched.map(({ name, pid }) => [name, timeOfTree(all, pid)]));
}

/** @returns what was used between two readings, by name */
export function cpuBetween(before: CpuMs, after: CpuMs): CpuMs {
  return new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? ms)]));
}

function timeOfTree(all: readonly ProcessTimes[], root: number): number {
  const own = all.find(({ pid }) => pid === root)?.ms ?? 0;
  const children = all.filter(({ parent }) => parent === root);
  return children.reduce((total, { pid }) => total + timeOfTree(all, pid), own);
}

function readProcesses(): readonly ProcessTimes[] {
  return entriesOf('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = read(`/proc/${name}/stat`);
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = TIMES.reduce((total, field) => total + Number(fields[field] ?? 0), 0);
      return stat === ''
        ? []
        : [{ pid: Number(name), parent: Number(fields[PARENT]), ms: ticks * TICK_MS }];
    });
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not Linux
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
