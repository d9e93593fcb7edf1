/** The thread that reads one page and ends; see reader.ts, which alone gives it work. */
import { parentPort, workerData } from 'node:worker_threads';
import { readTask, type ReadTask } from './reading.js';

const task: unknown = workerData;
if (isTask(task)) {
  parentPort?.postMessage(await readTask(task));
}

function isTask(data: unknown): data is ReadTask {
  return typeof data === 'object' && data !== null && 'kind' in data;
}
