import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../domain/errors.js';

/** A run that nothing can move on: an error of ours in its graph or in what an agent has handed back. */
export class NoProgress extends Error {
  override readonly name = 'NoProgress';
}

/** A problem that code cannot mend: ends the workflow (a plain `Error` would retry for ever). */
export function failNow(code: ErrorCode, message: string): never {
  throw ApplicationFailure.nonRetryable(message, code);
}

/** For a log line: an activity's failure is told with what has caused it. */
export function describeError(error: unknown): { readonly error: string; readonly stack?: string } {
  if (!(error instanceof Error)) {
    return { error: String(error) };
  }
  const cause = error instanceof ActivityFailure ? `: ${String(error.cause)}` : '';
  const { stack } = error;
  return { error: `${String(error)}${cause}`, ...(stack === undefined ? {} : { stack }) };
}
