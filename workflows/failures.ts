import { ApplicationFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../domain/errors.js';

/** A problem that code cannot mend: ends the workflow (a plain `Error` would retry for ever). */
export function failNow(code: ErrorCode, message: string): never {
  throw ApplicationFailure.nonRetryable(message, code);
}
