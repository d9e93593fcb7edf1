import { adviceOf } from '../../domain/failure-advice.js';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { isRetried, retryLater, toApplicationFailure } from '../../activities/failures.js';
import { DomainError, type ErrorCode } from '../../domain/errors.js';

function failureOf(error: unknown): ApplicationFailure {
  const failure = toApplicationFailure(error);
  if (!(failure instanceof ApplicationFailure)) {
    throw new Error('no ApplicationFailure');
  }
  return failure;
}

function withCode(code: string): Error {
  return Object.assign(new Error('password authentication failed for "x"'), { code });
}

test.each<[ErrorCode, boolean]>([
  ['model-unavailable', true],
  ['model-rate-limited', true],
  ['model-timeout', true],
  ['unavailable', true],
  ['model-key-refused', false],
  ['model-request-invalid', false],
  ['model-refused', false],
  ['over-budget', false],
  ['no-llm-key', false],
  ['attempts-exhausted', false],
  ['internal', false],
])('%s: retried is %s, and the type is the code', (code, retried) => {
  const failure = failureOf(new DomainError(code, 'said safely'));
  const message = adviceOf(code); // Temporal stores it unsealed
  expect(failure).toMatchObject({ type: code, nonRetryable: !retried, message });
  expect(message).not.toContain('said safely');
  expect(isRetried(code)).toBe(retried);
});

test('advice for a code without its own words still says what to do', () => {
  expect(adviceOf('conflict')).toBe(
    'Nothing to do: refused as conflict, which its caller was told.',
  );
});

test('the wait that the other side asked for is kept', () => {
  const error = new DomainError('model-rate-limited', 'busy', { retryAfterSeconds: 7 });
  expect(failureOf(error).nextRetryDelay).toBe(7_000);
  expect(retryLater(error, 2_000).nextRetryDelay).toBe(7_000);
  expect(retryLater(error, 16_000).nextRetryDelay).toBe(16_000);
});

test.each([
  ['a refused connection', withCode('ECONNREFUSED')],
  ['a server that shuts down', withCode('57P01')],
  ['a deadlock', withCode('40P01')],
  ['a lost connection', new Error('Connection terminated unexpectedly')],
  ['a failed fetch', new TypeError('fetch failed', { cause: withCode('ECONNRESET') })],
])('%s is retried, without its words', (_, error) => {
  expect(failureOf(error)).toMatchObject({ type: 'unavailable', nonRetryable: false });
  expect(failureOf(error).message).toBe(adviceOf('unavailable'));
});

test.each([
  ['a bug', new TypeError('undefined is not a function: sk-secret')],
  ['a violated constraint', withCode('23505')],
  ['a wrong statement', withCode('42P01')],
  ['something that is no error', 'sk-secret'],
])('%s is final, without its words', (_, error) => {
  expect(failureOf(error)).toMatchObject({ type: 'internal', nonRetryable: true });
  expect(failureOf(error).message).toBe(adviceOf('internal'));
  expect(failureOf(error).cause).toBeUndefined();
});

test('nothing is final for bookkeeping: a database that is not migrated yet is waited for', () => {
  const failure = toApplicationFailure(withCode('42P01'), { isBookkeeping: true });
  expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
});

test('a failure that is one already stays the same', () => {
  const failure = ApplicationFailure.nonRetryable('x', 'over-budget');
  expect(toApplicationFailure(failure)).toBe(failure);
});

test('cancellation stays cancellation', () => {
  const cancelled = new CancelledFailure('CANCELLED');
  expect(toApplicationFailure(cancelled)).toBe(cancelled);
  expect(toApplicationFailure(new DomainError('cancelled', 'x'))).toBeInstanceOf(CancelledFailure);
  expect(toApplicationFailure(new DOMException('x', 'AbortError'))).toBeInstanceOf(
    CancelledFailure,
  );
});

test('a wait that a vendor asks for is honoured, but not beyond the longest run', () => {
  const failureAfter = (retryAfterSeconds: number) =>
    retryLater(new DomainError('model-rate-limited', 'x', { retryAfterSeconds }), 2_000);
  expect(failureAfter(45).nextRetryDelay).toBe(45_000);
  expect(failureAfter(1e12).nextRetryDelay).toBe(300_000);
});
