/** What others feel while something hostile is under way. */
import { setTimeout as pause } from 'node:timers/promises';
import { readMemory } from '../memory.js';
import type { Scene } from './scene.js';

export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Felt {
  readonly api: LoopDelay;
  readonly worker: LoopDelay;
  /** Of another user's `GET /auth/me`, milliseconds. */
  readonly requestsMs: readonly number[];
  /** Of another user's runs of two agents; those that did not end in time are left out. */
  readonly runsMs: readonly number[];
  readonly apiMemoryMb: number;
  readonly workerMemoryMb: number;
  readonly answer: string;
  /** Whether the product serves others again. */
  readonly isBack: boolean;
}

/** How long an input may take until it is given up, and others may wait for an answer. */
const LIMIT_MS = 20_000;
const BETWEEN_REQUESTS_MS = 50;
const SAMPLE_MS = 100;
const MS_PER_SECOND = 1_000;

export async function measure(
  scene: Scene,
  input: (scene: Scene) => Promise<string>,
): Promise<Felt> {
  const { api, worker, vendors } = scene;
  await Promise.all([readDelay(api.url), readDelay(worker.url)]); // begins a new measurement
  const memory = watchMemory([api.pid, worker.pid]);
  const done = new AbortController();
  const requests = repeat(done.signal, () => askMe(scene), BETWEEN_REQUESTS_MS);
  const runs = repeat(done.signal, () => runOnce(scene), 0);
  const answer = await Promise.race([
    input(scene).catch((error: unknown) => `failed: ${reasonOf(error)}`),
    pause(LIMIT_MS, 'no end within 20 s', { ref: false }), // what is measured keeps the process
  ]);
  vendors.setBehaviour();
  done.abort();
  const [requestsMs, runsMs] = await Promise.all([requests, runs]);
  const [apiDelay, workerDelay] = await Promise.all([readDelay(api.url), readDelay(worker.url)]);
  const [apiMemoryMb = NaN, workerMemoryMb = NaN] = memory.stop();
  const isBack = await runOnce(scene).then(
    () => true,
    () => false,
  );
  return {
    api: apiDelay,
    worker: workerDelay,
    requestsMs,
    runsMs,
    apiMemoryMb,
    workerMemoryMb,
    answer,
    isBack,
  };
}

/** @returns milliseconds of each; NaN for one that failed or was given up */
async function repeat(
  until: AbortSignal,
  act: () => Promise<void>,
  betweenMs: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  do {
    const startedAt = performance.now();
    const isDone = await act().then(
      () => true,
      () => false,
    );
    times.push(isDone ? performance.now() - startedAt : Number.NaN);
    await pause(Math.max(betweenMs, isDone ? 0 : BETWEEN_REQUESTS_MS));
  } while (!until.aborted);
  return times;
}

async function askMe({ api, other }: Scene): Promise<void> {
  const response = await fetch(`${api.url}/api/v1/auth/me`, {
    headers: { authorization: `Bearer ${other.token}` },
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) {
    throw new Error(`refused: ${response.status}`);
  }
}

/** An order that anybody might give. */
export const ORDER = {
  design: {
    name: 'Two steps',
    description: 'One after the other',
    agents: ['reader', 'writer'].map((name) => ({
      name,
      role: 'analyzer',
      llm_model: 'gpt-4o-mini',
      description: `does the work of the ${name}`,
    })),
  },
};

async function runOnce({ api, other }: Scene): Promise<void> {
  const response = await fetch(`${api.url}/api/v1/pipelines/execute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${other.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(ORDER),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const text = await response.text();
  if (!response.ok || !text.includes('"completed"')) {
    throw new Error(`no result: ${response.status}`);
  }
}

/** Of the time since the last reading: a page of metrics begins to measure anew. */
async function readDelay(url: string): Promise<LoopDelay> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(LIMIT_MS) });
    const page = await response.text();
    return {
      p99Ms: valueOf(page, 'nodejs_eventloop_lag_p99_seconds') * MS_PER_SECOND,
      maxMs: valueOf(page, 'nodejs_eventloop_lag_max_seconds') * MS_PER_SECOND,
    };
  } catch {
    return { p99Ms: Number.NaN, maxMs: Number.NaN };
  }
}

function valueOf(page: string, metric: string): number {
  const line = page.split('\n').find((it) => it.startsWith(`${metric} `));
  return Number(line?.slice(metric.length));
}

/** @returns ends it; how much each process has grown at most, in MB */
function watchMemory(pids: readonly number[]): { stop(): readonly number[] } {
  const before = pids.map((pid) => readMemory(pid).rssMb);
  const most = [...before];
  const timer = setInterval(() => {
    pids.forEach((pid, index) => {
      most[index] = Math.max(most[index] ?? 0, readMemory(pid).rssMb || 0);
    });
  }, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return most.map((mb, index) => mb - (before[index] ?? NaN));
    },
  };
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${error.message.slice(0, 60)}` : String(error);
}
