/** Maps any error to the failure that Temporal gets. Only this file decides what is final and what is retried. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { DomainError, failureKind, type ErrorCode } from '../domain/errors.js';
import { adviceOf } from '../domain/agents/failure-advice.js';
import { isNotMigrated, natureOf } from '../domain/outages.js';

/**
 * Cancellation stays cancellation; everything else becomes an `ApplicationFailure` whose type is
 * an `ErrorCode` and whose message is advice of ours: the error's own words stay in the log.
 *
 * Only work that waits for a store that is away is repeated without limit.
 *
 * @param options `isBookkeeping`: a record that must be written, so that a schema that is not migrated
 *   yet is waited for; `attempt`: 1, 2 … of this activity
 */
export function toApplicationFailure(
  error: unknown,
  { isBookkeeping = false, attempt = 1 }: FailureOptions = {},
): ApplicationFailure | CancelledFailure {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) {
    return error;
  }
  if (error instanceof DomainError) {
    return error.code === 'cancelled' ? new CancelledFailure('cancelled') : failureOf(error);
  }
  if (isAbort(error)) {
    return new CancelledFailure('cancelled');
  }
  return isFinal(error, { isBookkeeping, attempt })
    ? ApplicationFailure.nonRetryable(adviceOf('internal'), 'internal')
    : ApplicationFailure.retryable(adviceOf('unavailable'), 'unavailable');
}

export interface FailureOptions {
  readonly isBookkeeping?: boolean;
  readonly attempt?: number;
}

/** Tries of an error of unknown nature: some minutes. */
export const UNKNOWN_TRIES = 20;

function isFinal(error: unknown, { isBookkeeping, attempt }: Required<FailureOptions>): boolean {
  switch (natureOf(error)) {
    case 'away':
      return false;
    case 'mistake':
      return !(isBookkeeping && isNotMigrated(error));
    case 'unknown':
      return attempt >= UNKNOWN_TRIES;
  }
}

/** Whether a failure says that we have made a mistake: it goes into the log as an error. */
export function isMistake(failure: unknown): boolean {
  return (
    failure instanceof ApplicationFailure &&
    failure.nonRetryable === true &&
    failure.type === ('internal' satisfies ErrorCode)
  );
}

/** The error as a failure that Temporal retries, not before `delayMs` from now. */
export function retryLater(error: DomainError, delayMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: error.code,
    message: adviceOf(error.code),
    nonRetryable: false,
    nextRetryDelay: Math.max(delayMs, waitOf(error)),
  });
}

function failureOf(error: DomainError): ApplicationFailure {
  const wait = waitOf(error);
  const kind = failureKind(error.code);
  return ApplicationFailure.create({
    type: error.code,
    message: adviceOf(error.code),
    nonRetryable: kind !== 'attempt' && kind !== 'retried',
    ...(wait > 0 ? { nextRetryDelay: wait } : {}),
  });
}

/** No run lasts longer, and what a vendor names is not trusted further than that. */
const MAX_ASKED_WAIT_MS = 300_000;

function waitOf({ retryAfterSeconds = 0 }: DomainError): number {
  return Math.min(MAX_ASKED_WAIT_MS, Math.ceil(retryAfterSeconds * 1_000));
}

function isAbort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'name') === 'AbortError';
}
