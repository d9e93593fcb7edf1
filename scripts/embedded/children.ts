/**
 * All servers that this process has started and that have not ended, by process id, also after the loss
 * of their pid files: what the operating system knows of us, kept here once.
 */
import { sendSignal } from './signals.js';

const running = new Set<number>();
let isRefusing = false;

/** @returns to be called when it has ended */
export function keepChild(pid: number): () => void {
  running.add(pid);
  if (isRefusing) {
    sendSignal(-pid, 'SIGKILL'); // started while all were being killed
  }
  return () => {
    running.delete(pid);
  };
}

/** @throws Error once `refuseChildren` was called */
export function requireChildren(): void {
  if (isRefusing) {
    throw new Error('Nothing is started any more: a stop is under way.');
  }
}

/** Nothing is started from here on; what was just being started is killed. */
export function refuseChildren(): void {
  isRefusing = true;
}

/** Kills all that still run, with their children. Waits for nothing, so that it may be called at exit. */
export function killChildren(): void {
  for (const pid of running) {
    sendSignal(-pid, 'SIGKILL');
  }
}

/** How many have not ended. */
export function countChildren(): number {
  return running.size;
}
