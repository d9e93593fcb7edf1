/**
 * Notes which workflow the SDK's workflow thread works on. The SDK has no hook for that: its worker
 * hands every activation to its workflow creator, and that is what is wrapped here. The thread
 * takes one task after the other (`workflowThreadPoolSize` is 1), so the oldest one that has
 * not been answered is the one that it works on.
 */
import type { Board, Work } from '../telemetry/loop-board.js';

/** @returns false where this release of the SDK is made otherwise: then nothing is noted */
export function watchWorkflows(worker: object, board: Pick<Board, 'noteWorkflow'>): boolean {
  const creator: unknown = Reflect.get(worker, 'workflowCreator');
  const track = createTracker(board);
  return wrapMethod(creator, 'createWorkflow', (create) => async (options) => {
    const work = workOf(options);
    const workflow = await track(work, () => create(options));
    wrapMethod(
      workflow,
      'activate',
      (activate) => (activation) => track(work, () => activate(activation)),
    );
    return workflow;
  });
}

type Method = (argument: unknown) => unknown;

/** @returns false where there is none */
function wrapMethod(target: unknown, name: string, wrap: (method: Method) => Method): boolean {
  const isObject = typeof target === 'object' && target !== null;
  const method: unknown = isObject ? Reflect.get(target, name) : undefined;
  if (!isObject || typeof method !== 'function') {
    return false;
  }
  return Reflect.set(
    target,
    name,
    wrap((argument): unknown => Reflect.apply(method, target, [argument])),
  );
}

function createTracker({ noteWorkflow }: Pick<Board, 'noteWorkflow'>) {
  const pending: Work[] = [];
  return async (work: Work, run: () => unknown): Promise<unknown> => {
    pending.push(work);
    if (pending.length === 1) {
      noteWorkflow(work);
    }
    try {
      return await run();
    } finally {
      const place = pending.indexOf(work);
      pending.splice(place, 1);
      if (place === 0) {
        noteWorkflow(pending[0] ?? null);
      }
    }
  };
}

function workOf(options: unknown): Work {
  const info = fieldOf(options, 'info');
  return {
    work: 'workflow',
    workflowType: textOf(info, 'workflowType'),
    workflowId: textOf(info, 'workflowId'),
    temporalRunId: textOf(info, 'runId'),
  };
}

function textOf(value: unknown, name: string): string {
  const field = fieldOf(value, name);
  return typeof field === 'string' ? field : '';
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
