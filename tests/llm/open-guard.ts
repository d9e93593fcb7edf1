import { DomainError } from '../../domain/errors.js';
import { UNKNOWN, type Guard } from '../../llm/routing/guard.js';

/** Gives every call a permit. */
export const OPEN_GUARD: Guard = {
  acquire: (_key, signal) =>
    signal.aborted
      ? Promise.reject(new DomainError('cancelled', 'the model call was cancelled'))
      : Promise.resolve({
          kind: 'permit',
          outcome: UNKNOWN,
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
};
