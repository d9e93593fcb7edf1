/**
 * The watchdog's thread; see watchdog.ts, which alone starts it. It never waits for the loops that it
 * watches, and it reads who holds the main loop by an interrupt of the inspector, which runs
 * there between two steps of JavaScript, also inside a regular expression.
 */
import { write } from 'node:fs';
import { Session } from 'node:inspector';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { createLogger } from './logger.js';
import { openBoard, parseWork, type Board, type Loop, type Work } from './loop-board.js';
import { WORK_READER, type WatchdogReport, type WatchdogTask } from './watchdog-task.js';

const STEP_MS = 250;
/** A process that was stopped or slept (SIGSTOP, a laptop's lid) was not held meanwhile. */
const MAX_STEP_MS = 2 * STEP_MS;

interface Watch {
  readonly loop: Loop;
  /** Whether the sign of life can be read at all now. */
  isVisible(): boolean;
  /** Changes while the loop is free. @returns null where there is nothing that could hold it */
  sign(): number | null;
  findHolder(): Promise<Work>;
  lastSign: number | null;
  heldMs: number;
  /** As it was found. */
  found: Work;
}

function watch({ name, logLevel, limits, loops, buffer }: WatchdogTask): void {
  const board = openBoard(buffer);
  const logger = createLogger(name, { level: logLevel, destination: { write: writeLine } });
  const watches = watchesOf(board).filter(({ loop }) => loops.includes(loop));
  const thresholds = [
    { ms: limits.logMs, act: begin },
    { ms: limits.heldMs, act: (it: Watch) => report(it, 'error') },
    { ms: limits.exitMs, act: endProcess },
  ];

  async function begin(held: Watch): Promise<void> {
    tell({ loop: held.loop, heldMs: held.heldMs, isOver: false });
    await report(held, 'warn');
  }

  async function report(held: Watch, level: 'warn' | 'error'): Promise<void> {
    const { loop, heldMs } = held;
    held.found = await held.findHolder();
    logger[level]('loop held', { loop, heldMs: Math.round(heldMs), ...held.found });
  }

  async function endProcess({ loop, heldMs, found }: Watch): Promise<void> {
    logger.error('loop held for too long: the process ends, to be started again', {
      loop,
      heldMs: Math.round(heldMs),
      ...found,
    });
    await pause(STEP_MS); // for the line
    if (process.pid === 1) {
      await evaluateInMain('process.exit(1)'); // the kernel keeps an init process from killing itself
    }
    process.kill(process.pid, 'SIGKILL'); // its loop is held: nothing of it could stop in order
  }

  function step(it: Watch, passedMs: number): void {
    const sign = board.readDebugged() ? null : it.sign();
    const before = it.heldMs;
    it.heldMs = sign === null || sign !== it.lastSign ? 0 : before + passedMs;
    it.lastSign = sign;
    board.setHeldMs(it.loop, it.heldMs);
    if (it.heldMs === 0 && before >= limits.logMs) {
      logger.info('loop free again', { loop: it.loop, heldMs: Math.round(before) });
      tell({ loop: it.loop, heldMs: before, isOver: true });
    }
    for (const { ms, act } of thresholds) {
      if (ms > 0 && before < ms && it.heldMs >= ms) {
        void act(it);
      }
    }
  }

  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    const passedMs = Math.min(now - last, MAX_STEP_MS);
    last = now;
    for (const it of watches) {
      if (it.isVisible()) {
        step(it, passedMs);
      }
    }
  }, STEP_MS);
}

function tell(updates: WatchdogReport): void {
  parentPort?.postMessage(updates);
}

function watchesOf(board: Board): readonly Watch[] {
  const fresh = { lastSign: null, heldMs: 0, found: {} };
  const isMainFree = (): boolean => board.readHeldMs('main') === 0;
  return [
    {
      loop: 'main',
      isVisible: () => true,
      sign: board.readHeartbeats,
      findHolder: () => findHolderOfMain(board),
      ...fresh,
    },
    {
      loop: 'workflow',
      isVisible: isMainFree, // which reads the thread's answers
      sign: () => (board.readWorkflow() === null ? null : board.readWorkflowTurns()),
      findHolder: () => Promise.resolve(board.readWorkflow() ?? {}),
      ...fresh,
    },
  ];
}

/** Native code (the parser of JSON, a full pipe) cannot be interrupted: then only what was begun last is known. */
async function findHolderOfMain(board: Board): Promise<Work> {
  const text = await evaluateInMain(`globalThis[Symbol.for('${WORK_READER}')]?.()`);
  if (text !== null) {
    return parseWork(text);
  }
  const begun = Object.entries(board.readBegun() ?? {});
  return Object.fromEntries(begun.map(([name, value]) => [`lastBegun.${name}`, value]));
}

const EVALUATE_LIMIT_MS = 1_000;

/** @returns null where the main thread cannot be interrupted in time, or has no text to give */
async function evaluateInMain(expression: string): Promise<string | null> {
  const session = new Session();
  try {
    session.connectToMainThread();
    const answer = new Promise<string | null>((resolve) => {
      session.post('Runtime.evaluate', { expression, silent: true }, (error, answered) => {
        const value: unknown = error === null ? answered.result.value : null;
        resolve(typeof value === 'string' ? value : null);
      });
    });
    return await Promise.race([answer, pause(EVALUATE_LIMIT_MS, null)]);
  } catch {
    return null; // a Node without inspector
  } finally {
    session.disconnect();
  }
}

const RETRY_MS = 50;
const MAX_TRIES = 20;

/** Does not wait: an output that is not read may be what holds the main loop. */
function writeLine(line: string, tries = 1): void {
  write(1, line, (error) => {
    if (error?.code === 'EAGAIN' && tries < MAX_TRIES) {
      setTimeout(writeLine, RETRY_MS, line, tries + 1);
    }
  });
}

function isTask(data: unknown): data is WatchdogTask {
  return typeof data === 'object' && data !== null && 'buffer' in data;
}

const task: unknown = workerData;
if (isTask(task)) {
  watch(task);
}
