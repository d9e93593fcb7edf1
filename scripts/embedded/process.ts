/**
 * Servers and processes of ours: each in its own process group, with a pid file that also says
 * when it was started, so that a start after a crash ends what is left and never a stranger.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { keepChild, requireChildren } from './children.js';
import { lastLines } from './logs.js';
import { openPrivateLog, readOwnFile, realPathOf, writePrivateFile } from './private-files.js';
import { sendSignal } from './signals.js';
import { waitUntil } from './wait.js';

export { sendSignal } from './signals.js';

const PidRecord = z.object({ pid: z.number().int(), startTime: z.string(), command: z.string() });
export type PidRecord = z.infer<typeof PidRecord>;

export interface ServerSpec extends Ending {
  /** As shown to people: `PostgreSQL`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** All of it: a server inherits nothing. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Whom to run as, where we are root and the server refuses to be. */
  readonly user?: { readonly uid: number; readonly gid: number } | null;
  /** A directory's descriptor that the server finds as its third. */
  readonly directory?: number | null;
  readonly pidFile: string;
  readonly logFile: string;
  readonly isReady: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

/** How a process is stopped. */
export interface Ending {
  readonly stopSignal?: NodeJS.Signals;
  /** How long it may take to end before it is killed. */
  readonly stopTimeoutMs?: number;
}

export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles when it has ended, for any reason. */
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 8_000;

/** Starts it and waits until it is ready. @throws Error with the end of its log when it is not. */
export async function startServer(spec: ServerSpec): Promise<ServerProcess> {
  requireChildren();
  const log = openPrivateLog(spec.logFile);
  const child = spawnPrivate(spec, log);
  closeSync(log);
  const server = await trackChild(child, spec);
  const isUp = await waitUntil(async () => server.hasEnded() || (await spec.isReady()), {
    timeoutMs: spec.readyTimeoutMs ?? READY_TIMEOUT_MS,
  });
  if (!isUp || server.hasEnded()) {
    await server.stop();
    const why = isUp ? 'ended at once' : 'did not get ready in time';
    throw new Error(`${spec.name} ${why}; see ${spec.logFile}:\n${lastLines(spec.logFile, 8)}`);
  }
  return server;
}

/** What it writes is its owner's alone. */
function spawnPrivate(spec: ServerSpec, log: number): ChildProcess {
  const umask = process.umask(0o077);
  try {
    return spawn(spec.command, spec.args, {
      detached: true,
      stdio: ['ignore', log, log, ...(spec.directory == null ? [] : [spec.directory])],
      cwd: spec.cwd,
      env: spec.env,
      ...(spec.user ? { uid: spec.user.uid, gid: spec.user.gid } : {}),
    });
  } finally {
    process.umask(umask);
  }
}

async function trackChild(child: ChildProcess, spec: ServerSpec): Promise<ServerProcess> {
  let hasEnded = false;
  const forget = child.pid === undefined ? () => undefined : keepChild(child.pid);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      hasEnded = true;
      forget();
      resolve();
    });
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new Error(`${spec.name} cannot be started (${spec.command})`, { cause }));
    });
    child.once('spawn', () => {
      resolve(child.pid ?? 0);
    });
  });
  child.unref();
  writePidFile(spec.pidFile, pid, spec.command);
  return {
    name: spec.name,
    pid,
    ended,
    hasEnded: () => hasEnded,
    stop: async () => {
      await endProcess(pid, { ...spec, isGone: () => hasEnded });
      rmSync(spec.pidFile, { force: true });
    },
  };
}

export function writePidFile(pidFile: string, pid: number, command: string): void {
  const record: PidRecord = { pid, startTime: startTimeOf(pid) ?? '', command };
  writePrivateFile(pidFile, JSON.stringify(record));
}

/** The process that a pid file of ours names, if that very process still runs. */
export function readRunning(pidFile: string): PidRecord | null {
  try {
    const record = PidRecord.parse(JSON.parse(readOwnFile(pidFile)));
    return startTimeOf(record.pid) === record.startTime ? record : null;
  } catch {
    return null; // no file, another user's, or half a file of a start that was killed
  }
}

export interface Leftover extends Ending {
  /** What the process writes: one that does not write it is a stranger, even if a pid file names it. */
  readonly logFile?: string;
}

/** Ends the process that a pid file names and removes the file; strangers are left alone. */
export async function endLeftover(pidFile: string, how: Leftover = {}): Promise<boolean> {
  const named = readRunning(pidFile);
  const isOurs = named !== null && (how.logFile === undefined || writesLog(named, how.logFile));
  const running = isOurs ? named : null;
  if (running) {
    const isGone = (): boolean => startTimeOf(running.pid) !== running.startTime;
    await endProcess(running.pid, { ...how, isGone });
  }
  rmSync(pidFile, { force: true });
  return running !== null;
}

/** Servers of ours write to the log that they were started with, under any user. */
function writesLog({ pid, command }: PidRecord, logFile: string): boolean {
  if (process.platform !== 'linux') {
    return commandByPs(pid).startsWith(command);
  }
  try {
    const output = readlinkSync(`/proc/${pid}/fd/1`).replace(/ \(deleted\)$/, '');
    return output === realPathOf(logFile);
  } catch {
    return false; // it has ended, or it is another user's
  }
}

function commandByPs(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

async function endProcess(
  pid: number,
  ending: Ending & { readonly isGone: () => boolean },
): Promise<void> {
  const isGone = (): Promise<boolean> => Promise.resolve(ending.isGone());
  if (!ending.isGone()) {
    sendSignal(pid, ending.stopSignal ?? 'SIGTERM');
    const timeoutMs = ending.stopTimeoutMs ?? STOP_TIMEOUT_MS;
    if (await waitUntil(isGone, { timeoutMs })) {
      return;
    }
    sendSignal(-pid, 'SIGKILL');
    await waitUntil(isGone, { timeoutMs: STOP_TIMEOUT_MS });
  }
}

/**
 * When a process was started, as an opaque text that no other process shares; null if it has
 * ended, also when it is not collected yet.
 */
export function startTimeOf(pid: number): string | null {
  return process.platform === 'linux' ? startTimeOnLinux(pid) : startTimeByPs(pid);
}

/** Source: proc(5): the state is field 3 and the start time field 22, after the `(name)`. */
const STATE_AFTER_NAME = 0;
const START_AFTER_NAME = 19;

function startTimeOnLinux(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const hasEnded = ['Z', 'X'].includes(fields[STATE_AFTER_NAME] ?? 'X');
    return hasEnded ? null : `${boot}:${fields[START_AFTER_NAME] ?? ''}`;
  } catch {
    return null;
  }
}

function startTimeByPs(pid: number): string | null {
  try {
    const options = ['-o', 'state=,lstart=', '-p', String(pid)];
    const line = execFileSync('ps', options, { encoding: 'utf8' }).trim();
    const started = line.slice(line.indexOf(' ') + 1).trim();
    return line === '' || line.startsWith('Z') ? null : started;
  } catch {
    return null;
  }
}
