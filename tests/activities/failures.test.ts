import { adviceOf } from '../../domain/agents/failure-advice.js';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { retryLater, toApplicationFailure, UNKNOWN_TRIES } from '../../activities/failures.js';
import { DomainError, failureKind, type ErrorCode } from '../../domain/errors.js';
import { UnreadableJson } from '../../domain/text/stored-json.js';

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
  expect(['attempt', 'retried'].includes(failureKind(code))).toBe(retried);
});

test('advice for a code without its own words still says what to do', () => {
  expect(adviceOf('conflict')).toBe('Nothing to do: refused as conflict, and its caller knows.');
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
])('%s is retried, without its message', (_, error) => {
  expect(failureOf(error)).toMatchObject({ type: 'unavailable', nonRetryable: false });
  expect(failureOf(error).message).toBe(adviceOf('unavailable'));
});

test.each([
  ['a bug', new TypeError('undefined is not a function: sk-secret')],
  ['a violated constraint', withCode('23505')],
  ['a wrong statement', withCode('42P01')],
  ['something that is no error', 'sk-secret'],
])('%s is final, without its message', (_, error) => {
  expect(failureOf(error)).toMatchObject({ type: 'internal', nonRetryable: true });
  expect(failureOf(error).message).toBe(adviceOf('internal'));
  expect(failureOf(error).cause).toBeUndefined();
});

test('a database that is not migrated yet is waited for by bookkeeping', () => {
  const failure = toApplicationFailure(withCode('42P01'), { isBookkeeping: true });
  expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
});

test.each([
  ['a bug', new TypeError('x')],
  ['too much recursion', new RangeError('Maximum call stack size exceeded')],
  ["a bug that Node's own parts have found", Object.assign(new TypeError('x'), { code: 'ERR_X' })],
  ['a violated constraint', withCode('23505')],
  ['a text that cannot be stored', withCode('22021')],
  ['a state of ours that cannot be read', new UnreadableJson('talk.machine is not an object')],
])('%s is final for bookkeeping too', (_, error) => {
  const failure = toApplicationFailure(error, { isBookkeeping: true });
  expect(failure).toMatchObject({ type: 'internal', nonRetryable: true });
});

test.each([
  ['a refused connection', withCode('ECONNREFUSED')],
  ['a read-only server', withCode('25006')],
  ['a failed serialization', withCode('40001')],
  ['a statement that took too long', withCode('57014')],
  ['a full disk', withCode('53100')],
  ['a server that starts', withCode('57P03')],
  ['Temporal that is away', new Error('x', { cause: Object.assign(new Error('y'), { code: 14 }) })],
  ['a wait that was too long', new DOMException('x', 'TimeoutError')],
])('%s is waited for without limit', (_, error) => {
  const failure = toApplicationFailure(error, { isBookkeeping: true, attempt: 10_000 });
  expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
});

test('an unknown error is retried for some minutes', () => {
  const odd = new Error('something odd');
  const failureAt = (attempt: number) =>
    toApplicationFailure(odd, { isBookkeeping: true, attempt });
  expect(failureAt(UNKNOWN_TRIES - 1)).toMatchObject({ type: 'unavailable', nonRetryable: false });
  expect(failureAt(UNKNOWN_TRIES)).toMatchObject({ type: 'internal', nonRetryable: true });
});

test('a failure that is an ApplicationFailure already stays the same', () => {
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
