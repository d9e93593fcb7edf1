/**
 * Watches the loops of a process from a thread of its own: what holds one is named in the log and
 * counted, and a process whose loop stays held is ended, to be started again by its supervisor.
 * Why so: docs/decisions/0011-a-held-loop-ends-its-process.md.
 */
import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Logger } from './logger.js';
import type { Loop } from './loop-board.js';
import { watchStrayErrors } from './stray-errors.js';
import {
  WORK_READER,
  type WatchdogLimits,
  type WatchdogReport,
  type WatchdogTask,
} from './watchdog-task.js';
import { board, currentWork } from './work-scope.js';

export interface WatchdogOptions {
  /** As in its log. */
  readonly name: string;
  readonly logLevel: string;
  readonly limits: WatchdogLimits;
  readonly loops: readonly Loop[];
  readonly registry: Registry;
  readonly logger: Logger;
}

export interface Watchdog {
  /** Whether a loop other than the one that asks is held: for so long that no work should come. */
  isHeld(): boolean;
  /** Whether it has been held for so long that only a new process helps. */
  isLost(): boolean;
  close(): Promise<void>;
}

const HEARTBEAT_MS = 200;
const LOG_MS = 1_000;
const MAX_HEAP_MB = 16;
const MS_PER_SECOND = 1_000;
const HELD_SECONDS = [1, 2, 5, 10, 20, 30, 60];

/** Next to this file, as it is built. */
const THREAD = new URL('./watchdog-thread.js', import.meta.url);

export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { limits, loops, logger } = options;
  const metrics = createLoopMetrics(options);
  const stopBeating = startBeating();
  const letErrorsGo = watchStrayErrors(options);
  const thread = startThread(options);
  thread.on('message', metrics.hear);
  thread.on('error', (error) => {
    logger.error('watchdog failed', { error });
  });
  thread.unref();
  // the main loop answers, so it is free; what is written about it is a moment old
  const others = loops.filter((loop) => loop !== 'main');
  const isHeldFor = (limitMs: number): boolean =>
    limitMs > 0 && others.some((loop) => board.readHeldMs(loop) >= limitMs);
  return {
    isHeld: () => isHeldFor(limits.heldMs),
    isLost: () => isHeldFor(limits.exitMs),
    async close() {
      stopBeating();
      await thread.terminate();
      letErrorsGo();
    },
  };
}

function startThread({ name, logLevel, limits, loops }: WatchdogOptions): Worker {
  const task: WatchdogTask = {
    name,
    logLevel,
    limits: { ...limits, logMs: Math.min(LOG_MS, limits.heldMs) },
    loops,
    buffer: board.buffer,
  };
  return new Worker(THREAD, {
    name: 'watchdog',
    workerData: task,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
}

/** @returns ends it */
function startBeating(): () => void {
  const key = Symbol.for(WORK_READER);
  Reflect.set(globalThis, key, () => JSON.stringify({ ...currentWork(), stack: readStack() }));
  const heartbeat = (): void => {
    board.beat(inspector.url() !== undefined);
  };
  heartbeat();
  const timer = setInterval(heartbeat, HEARTBEAT_MS).unref();
  return () => {
    clearInterval(timer);
    Reflect.deleteProperty(globalThis, key);
  };
}

const MAX_FRAMES = 24;
/** This function, its caller, and what the interrupt evaluates. */
const OWN_FRAMES = 3;

/** Where the code is that was interrupted. */
function readStack(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = MAX_FRAMES;
  const lines = new Error('held').stack?.split('\n') ?? [];
  Error.stackTraceLimit = limit;
  return lines.slice(1 + OWN_FRAMES).join('\n');
}

/** Holds are counted when they have lasted a second, and measured when they are over. */
function createLoopMetrics({ registry, loops }: WatchdogOptions) {
  const registers = [registry];
  const held = new Counter({
    name: 'agentforge_loop_held_total',
    help: 'How often a loop was held for a second or longer',
    labelNames: ['loop'],
    registers,
  });
  const seconds = new Histogram({
    name: 'agentforge_loop_held_seconds',
    help: 'How long loops were held that were held for a second or longer',
    labelNames: ['loop'],
    buckets: HELD_SECONDS,
    registers,
  });
  for (const loop of loops) {
    held.inc({ loop }, 0); // an increase is only seen in a series that is there
    seconds.zero({ loop });
  }
  return {
    hear({ loop, heldMs, isOver }: WatchdogReport): void {
      if (isOver) {
        seconds.observe({ loop }, heldMs / MS_PER_SECOND);
      } else {
        held.inc({ loop });
      }
    },
  };
}
