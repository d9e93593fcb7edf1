/** What the process works on, so that its watchdog can name what holds a loop. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { logScope } from './log-scope.js';
import { openBoard, type Work } from './loop-board.js';

const storage = new AsyncLocalStorage<Work>();

/** Of this process: its watchdog reads it. */
export const board = openBoard();

/** Everything that `run` leads to counts as this work. */
export function inWork<T>(work: Work, run: () => T): T {
  board.noteBegun(work);
  return storage.run(work, run);
}

/** The work and the ids of the code that runs at this moment. */
export function currentWork(): Work {
  const { spanId, traceFlags, ...ids } = logScope();
  return { ...ids, ...storage.getStore() };
}
