import type { WorkflowClientInterceptor } from '@temporalio/client';

/** Where a call says nothing, its seal alone shows that it is ours; workflows overlook the value. */
const NOTHING = {};

export const sealEmptyCalls: WorkflowClientInterceptor = {
  startWithDetails: (input, next) =>
    next({ ...input, options: { ...input.options, args: orNothing(input.options.args) } }),
  signal: (input, next) => next({ ...input, args: orNothing(input.args) }),
  signalWithStart: (input, next) =>
    next({
      ...input,
      signalArgs: orNothing(input.signalArgs),
      options: { ...input.options, args: orNothing(input.options.args) },
    }),
};

function orNothing(args: readonly unknown[]): unknown[] {
  return args.length === 0 ? [NOTHING] : [...args];
}
