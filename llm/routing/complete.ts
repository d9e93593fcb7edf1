/**
 * One call of a model, from candidates to the settled reply: candidates → guard (circuit and permit) →
 * ledger → provider. The loop alone decides what counts as a failed attempt.
 */
import type { BillingContext } from '../../domain/account/costs.js';
import { DomainError } from '../../domain/errors.js';
import type { StepId } from '../../domain/ids.js';
import type { ChargedReply } from '../../domain/agents/models.js';
import { toStorable } from '../../domain/text/storable-text.js';
import { noteAsked } from '../attempt-scope.js';
import { getBilling } from '../billing/billing-context.js';
import { CallBooking, type BookingDeps } from '../billing/call-booking.js';
import type { ModelRequest, PayingKey, ProviderReply, TakeText } from '../model.js';
import { ModelCallError, isRetryable } from '../providers/vendor-errors.js';
import { listCandidates, type Candidate, type CandidateDeps } from './candidates.js';
import { ANSWERED, toCallOutcome, type Guard } from './guard.js';

export interface Models {
  /**
   * Answers a request, paid by the billing context. A reply is stored once per step and found by retries.
   * Each provider whose key may pay is tried once, best first (contract, decision 9): a retryable failure passes
   * to the next one, a final one ends the attempt. Providers in a cooldown, and keys without a permit, are skipped.
   *
   * @throws `no-llm-key`, `over-budget`, `model-unpriced`, what `Provider.complete` throws; `model-on-hold`
   *   with the wait where no provider was called, which is no failed attempt
   */
  complete(request: ModelRequest, options: CompleteOptions): Promise<ChargedReply>;
}

export interface CompleteOptions {
  readonly signal: AbortSignal;
  /** Another step of the same payer than the billing context's, for a repair. */
  readonly stepId?: StepId;
  /** The step is known to have no reply, so that none is looked for. */
  readonly isNew?: boolean;
  /**
   * Called before each provider call, a retry or fail-over included; what it returns takes the text
   * of that call's reply as it comes. A stored reply is not published again.
   */
  readonly beginReply?: (() => TakeText) | undefined;
}

export interface ModelsDeps extends BookingDeps, CandidateDeps {
  readonly guard: Guard;
  /** The keys that may pay, opened; only the simulated one where `simulated` is true. */
  readonly findKeys: (
    billing: BillingContext,
    request: Pick<ModelRequest, 'simulated' | 'wantedModel'>,
  ) => Promise<readonly PayingKey[]>;
  readonly keyNotes: KeyNotes;
}

/** Learns of each call that is made with a key, and of a provider's refusal of the key itself. */
export interface KeyNotes {
  used(key: PayingKey): void;
  refused(key: PayingKey, billing: BillingContext): void;
}

export function createModels(deps: ModelsDeps): Models {
  return {
    async complete(request, options) {
      const { signal, beginReply, isNew = false } = options;
      const billing = getBilling(options.stepId);
      const stored = isNew ? null : await deps.ledger.findReply(billing.stepId);
      if (stored !== null) {
        return stored;
      }
      const keys = await deps.findKeys(billing, request);
      const candidates = listCandidates(deps, request, keys);
      const failures: DomainError[] = [];
      const refusals: DomainError[] = [];
      let calls = 0;
      let lastFailed: CallBooking | null = null;
      for (const [index, candidate] of candidates.entries()) {
        const { provider, key } = candidate;
        const noteFailure = noteAsked(provider.name, candidate.call.model);
        const guarded = await deps.guard.acquire(key, signal);
        if (guarded.kind === 'refusal') {
          noteFailure(guarded.error);
          refusals.push(guarded.error);
          continue;
        }
        await using permit = guarded;
        reportFailover(deps, candidates, index);
        calls += 1;
        const booking = new CallBooking(deps, billing, candidate, calls);
        let reply: ProviderReply;
        try {
          const call = await booking.reserve(request);
          deps.keyNotes.used(key);
          const { timeoutMs } = request;
          const onDelta = beginReply?.();
          const { apiKey, endpoint } = key;
          const options = { apiKey, endpoint, signal, timeoutMs, onDelta };
          reply = await provider.complete(call, options);
        } catch (error) {
          permit.outcome = toCallOutcome(error);
          noteFailure(error);
          reportFailure(deps, candidate, billing, error);
          await booking.close(error);
          if (!isRetryable(error)) {
            throw error;
          }
          failures.push(error);
          lastFailed = booking;
          continue;
        }
        permit.outcome = ANSWERED;
        return await booking.settle(toStorable(reply));
      }
      await lastFailed?.countFailedAttempt();
      throw toAttemptFailure(failures, refusals);
    },
  };
}

function reportFailover(
  { metrics, logger }: ModelsDeps,
  candidates: readonly Candidate[],
  index: number,
): void {
  const before = candidates[index - 1];
  const current = candidates[index];
  if (before !== undefined && current !== undefined) {
    const step = { from: before.provider.name, to: current.provider.name };
    metrics.fellBack(step);
    logger.warn('model call falls back', step);
  }
}

function reportFailure(
  { metrics, logger, keyNotes }: ModelsDeps,
  { provider: { name: provider }, key, call: { model } }: Candidate,
  billing: BillingContext,
  error: unknown,
): void {
  const code = error instanceof DomainError ? error.code : 'internal';
  if (code === 'over-budget') {
    return; // no provider was called
  }
  if (isKeyRefused(error, key)) {
    keyNotes.refused(key, billing);
  }
  metrics.failed({ provider, code });
  logger.warn('model call failed', { provider, model, code });
}

/** 403 of most providers is about one model or resource, which another call may do without. */
function isKeyRefused(error: unknown, { provider }: PayingKey): boolean {
  return (
    error instanceof ModelCallError &&
    error.code === 'model-key-refused' &&
    (error.status !== 403 || provider === 'google')
  );
}

/**
 * The failure of the provider that may answer first: the long quota of another one must not hold a run.
 * Refusals are the failure only where no provider was called; else they may shorten the wait.
 */
function toAttemptFailure(
  failures: readonly DomainError[],
  refusals: readonly DomainError[],
): DomainError {
  const retryAfterSeconds = Math.min(...[...failures, ...refusals].map(getWait));
  const chosen = findSoonest(failures.length > 0 ? failures : refusals);
  if (chosen === undefined) {
    return new DomainError('model-unavailable', 'no model answered');
  }
  return getWait(chosen) === retryAfterSeconds
    ? chosen
    : new DomainError(chosen.code, chosen.message, { cause: chosen, retryAfterSeconds });
}

function findSoonest(errors: readonly DomainError[]): DomainError | undefined {
  const shortest = Math.min(...errors.map(getWait));
  return errors.findLast((error) => getWait(error) === shortest);
}

function getWait({ retryAfterSeconds = 0 }: DomainError): number {
  return retryAfterSeconds;
}
