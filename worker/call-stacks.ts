/**
 * The call stacks of workflows that wait, which the Temporal Web UI shows. For them the SDK hooks into
 * every promise of its workflow thread and takes a stack each time: about a tenth of the processor
 * time of a run. It has no setting for that, so threads that are started here find the hook away
 * (sdk-typescript issue 1587). Stacks of errors stay.
 */
import workerThreads, { type WorkerOptions } from 'node:worker_threads';

/** Runs in a thread before all else. A hook that never runs: the query for the stack answers an empty one. */
const WITHOUT_HOOK = `import v8 from 'node:v8'; v8.promiseHooks.createHook = () => () => undefined;`;
const PRELOAD = `data:text/javascript,${encodeURIComponent(WITHOUT_HOOK)}`;

/** Of the process's own options; Node refuses V8's and those of a whole process where they are named for a thread. */
const INHERITED = ['--enable-source-maps'];

class ThreadWithoutCallStacks extends workerThreads.Worker {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    const inherited = process.execArgv.filter((argument) => INHERITED.includes(argument));
    const execArgv = options.execArgv ?? inherited;
    super(file, { ...options, execArgv: [...execArgv, '--import', PRELOAD] });
  }
}

/** @param start starts the SDK's threads, before it resolves */
export async function withoutCallStacks<T>(start: () => Promise<T>): Promise<T> {
  const { Worker } = workerThreads;
  Reflect.set(workerThreads, 'Worker', ThreadWithoutCallStacks);
  try {
    return await start();
  } finally {
    Reflect.set(workerThreads, 'Worker', Worker);
  }
}
