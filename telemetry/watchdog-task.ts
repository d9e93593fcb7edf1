/** What a process and its watchdog's thread tell each other. */
import type { Loop } from './loop-board.js';

export interface WatchdogLimits {
  /** A loop that has been held for this long makes the process not ready. */
  readonly heldMs: number;
  /** A process whose loop has been held for this long ends; 0: never. */
  readonly exitMs: number;
}

export interface WatchdogTask {
  /** As in its log. */
  readonly name: string;
  readonly logLevel: string;
  /** `logMs`: when a line names what holds a loop, and it is counted. */
  readonly limits: WatchdogLimits & { readonly logMs: number };
  readonly loops: readonly Loop[];
  readonly buffer: SharedArrayBuffer;
}

export interface WatchdogReport {
  readonly loop: Loop;
  readonly heldMs: number;
  readonly isOver: boolean;
}

/** The global symbol of the function that says, as JSON, what the main thread works on. */
export const WORK_READER = 'agentforge.readWork';
