/** How much processor time processes have used, themselves and all that they have started. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Watched {
  readonly name: string;
  readonly pid: number;
  /** Whether its threads are read as well, as `<name>/<kind>`. */
  readonly threads?: boolean;
}

/** Milliseconds of processor time so far, by process and by `process/kind of thread`; empty without /proc. */
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
  return new Map(
    watched.flatMap(({ name, pid, threads }) => [
      [name, timeOfTree(all, pid)] as const,
      ...(threads === true ? readThreads(name, pid) : []),
    ]),
  );
}

/** @returns what was used between two readings, by name */
export function cpuBetween(before: CpuMs, after: CpuMs): CpuMs {
  return new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? ms)]));
}

/** Of all processes; their threads are part of them. */
export function totalOf(cpu: CpuMs): number {
  const processes = [...cpu].filter(([name]) => !isThread(name));
  return processes.reduce((total, [, ms]) => total + ms, 0);
}

export function isThread(name: string): boolean {
  return name.includes('/');
}

function timeOfTree(all: readonly ProcessTimes[], root: number): number {
  const own = all.find(({ pid }) => pid === root)?.ms ?? 0;
  const children = all.filter(({ parent }) => parent === root);
  return children.reduce((total, { pid }) => total + timeOfTree(all, pid), own);
}

const NS_PER_MS = 1e6;

function readThreads(name: string, pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of entriesOf(`/proc/${pid}/task`)) {
    const kind = `${name}/${kindOf(read(`/proc/${pid}/task/${thread}/comm`), thread === String(pid))}`;
    const [ns] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ');
    times.set(kind, (times.get(kind) ?? 0) + Number(ns) / NS_PER_MS);
  }
  return times;
}

/** Source: the names that Node 24, V8 and the Temporal SDK give their threads. */
function kindOf(comm: string, isMain: boolean): string {
  if (isMain) {
    return 'main';
  }
  if (comm.startsWith('WorkerThread')) {
    return 'workflows';
  }
  return /^(?:V8|Delayed)/.test(comm) ? 'V8' : 'SDK core and others';
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
    return []; // not Linux, or it has ended meanwhile
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
