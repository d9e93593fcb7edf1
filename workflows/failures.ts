import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../domain/errors.js';
import { UnreadableJson } from '../domain/text/stored-json.js';

/** A run that nothing can move on: an error of ours in its graph or in what an agent has handed back. */
export class NoProgress extends Error {
  override readonly name = 'NoProgress';
}

/** A problem that code cannot mend: ends the workflow (a plain `Error` would retry for ever). */
export function failNow(code: ErrorCode, message: string): never {
  throw ApplicationFailure.nonRetryable(message, code);
}

/**
 * A mistake of ours in a workflow's own code ends the workflow with a failure that says so. As a task
 * that fails it would be repeated for ever, and hold up what waits for the workflow. Code that does
 * not fit its history is left to Temporal, and to a release that fits.
 */
export const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError, UnreadableJson];

/** Whether an activity failed by a mistake of ours (activities/failures.ts). */
export function isMistake(cause: unknown): boolean {
  return cause instanceof ApplicationFailure && cause.type === ('internal' satisfies ErrorCode);
}

/** Fields of a log line; an activity's failure names its cause. */
export function describeError(error: unknown): { readonly error: string; readonly stack?: string } {
  if (!(error instanceof Error)) {
    return { error: String(error) };
  }
  const cause = error instanceof ActivityFailure ? `: ${String(error.cause)}` : '';
  const { stack } = error;
  return { error: `${String(error)}${cause}`, ...(stack === undefined ? {} : { stack }) };
}
