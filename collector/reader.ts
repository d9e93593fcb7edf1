/** Reads pages in threads that are ended when they take too long or too much. */
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { PII_TYPES } from '../domain/security/pii.js';
import { CrawlFailed } from './crawl-failed.js';
import type { PageTask, PageText, ReadTask, RobotsTask, RobotsVerdict } from './reading.js';

export interface Reader {
  /** @throws CrawlFailed `unreadable`; when `signal` aborts */
  readPage(task: Omit<PageTask, 'kind'>, signal: AbortSignal): Promise<PageText>;
  /** @throws CrawlFailed `unreadable`; when `signal` aborts */
  decideRobots(task: Omit<RobotsTask, 'kind'>, signal: AbortSignal): Promise<RobotsVerdict>;
}

export interface ReaderOptions {
  /** The built thread; default: next to this file. */
  readonly thread?: URL;
  /** Of one page. */
  readonly timeoutMs?: number;
  readonly maxHeapMb?: number;
}

const pageText = z.object({
  title: z.string(),
  text: z.string(),
  piiTypes: z.array(z.enum(PII_TYPES)),
  refresh: z.string().nullable(),
});
const unreadable = z.object({ unreadable: z.string() });
const robotsVerdict = z.object({ isAllowed: z.boolean(), crawlDelayMs: z.number().nullable() });

/** Reading costs processor time only: more threads would not end sooner. */
const MAX_THREADS = 2;
/** The largest page that people made takes two seconds. */
const TIMEOUT_MS = 8_000;
const MAX_HEAP_MB = 384;
/** For elements nested as deep as html-text.ts reads them. */
const STACK_MB = 64;

export function createReader(options: ReaderOptions = {}): Reader {
  const slots = createSlots(MAX_THREADS);
  const readInThread = (task: ReadTask, signal: AbortSignal): Promise<unknown> =>
    slots.use(() => runThread(task, options, signal), signal);
  return {
    async readPage(task, signal) {
      const read = await readInThread({ kind: 'page', ...task }, signal);
      const failed = unreadable.safeParse(read);
      if (failed.success) {
        throw new CrawlFailed('unreadable', failed.data.unreadable);
      }
      return pageText.parse(read);
    },
    async decideRobots(task, signal) {
      return robotsVerdict.parse(await readInThread({ kind: 'robots', ...task }, signal));
    },
  };
}

async function runThread(
  task: ReadTask,
  { thread, timeoutMs = TIMEOUT_MS, maxHeapMb = MAX_HEAP_MB }: ReaderOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const worker = new Worker(thread ?? new URL('./reader-thread.js', import.meta.url), {
    workerData: task,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb, stackSizeMb: STACK_MB },
    stdout: true, // a library's remarks are no log lines
    stderr: true,
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    return await resultOf(worker, limit);
  } catch (cause) {
    signal.throwIfAborted();
    throw new CrawlFailed('unreadable', 'the page cannot be read, or not in time', { cause });
  } finally {
    await worker.terminate();
  }
}

async function resultOf(worker: Worker, limit: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject).once('exit', reject);
    limit.addEventListener('abort', reject, { once: true });
    if (limit.aborted) {
      reject(new Error('too late'));
    }
  });
}

interface Slots {
  /** Runs `work` when one of the places is free. @throws when `signal` aborts before */
  use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  const take = async (signal: AbortSignal): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(new Error('no client waits any more'));
      };
      waiting.push(begin);
      signal.addEventListener('abort', leave, { once: true });
    });
  };
  const giveBack = (): void => {
    const next = waiting.shift();
    if (next === undefined) {
      free += 1;
    } else {
      next();
    }
  };
  return {
    async use(work, signal) {
      signal.throwIfAborted();
      await take(signal);
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
  };
}
