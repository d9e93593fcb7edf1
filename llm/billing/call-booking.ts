/**
 * The ledger row of one provider call: reserved before the call, then settled by the reply or closed by the
 * failure. A ledger that is away before the call fails the attempt; after it, the outcome is written when it is back.
 */
import { toBill, toDearestRates, type BillLine } from '../../domain/account/bill.js';
import type { BillingContext, Ledger, Reservation } from '../../domain/account/costs.js';
import { DomainError, ServerKeySpent } from '../../domain/errors.js';
import type { ChargedReply, ModelReply, Usage } from '../../domain/agents/models.js';
import type { ModelMetrics } from '../metrics.js';
import type { ModelCall, ModelRequest, PayingKey, ProviderReply } from '../model.js';
import type { Candidate } from '../routing/candidates.js';
import { ModelCallError, type Billing } from '../providers/vendor-errors.js';
import { writeToLedger, type LedgerWriteDeps } from './ledger-writes.js';
import { promptTokensBound } from './token-estimate.js';

export interface BookingDeps extends LedgerWriteDeps {
  readonly ledger: Ledger;
  readonly metrics: ModelMetrics;
}

/** Source: contract, decision 18: never under min(256, the requested value). */
const MIN_TOKENS = 256;

interface Reserved extends Reservation {
  /** The call with the tokens that the budget affords. */
  readonly call: ModelCall;
  readonly startedAt: number;
}

export class CallBooking {
  readonly #deps: BookingDeps;
  readonly #billing: BillingContext;
  readonly #candidate: Candidate;
  readonly #callNumber: number;
  #reserved: Reserved | null = null;

  /** @param callNumber 1, 2 … within the attempt */
  constructor(
    deps: BookingDeps,
    billing: BillingContext,
    candidate: Candidate,
    callNumber: number,
  ) {
    this.#deps = deps;
    this.#billing = billing;
    this.#candidate = candidate;
    this.#callNumber = callNumber;
  }

  /**
   * Reserves the upper bound of the call.
   *
   * @returns the call as it may be made
   * @throws `over-budget`, `model-unpriced`, and while the ledger is away
   */
  async reserve({ quoted = [] }: Pick<ModelRequest, 'quoted'>): Promise<ModelCall> {
    const { call, price, provider, key } = this.#candidate;
    const { ledger, metrics, logger } = this.#deps;
    if (price === null) {
      throw new DomainError('model-unpriced', `the model ${call.model} has no known price`);
    }
    if (this.#billing.attempt > 1 && this.#callNumber === 1) {
      metrics.retried({ provider: provider.name });
    }
    const { model, temperature, answer = null, messages } = call;
    const { thinkingTokens } = call.parameters;
    const promptTokens = promptTokensBound(call);
    const reservation = await ledger.reserve(this.#billing, {
      provider: provider.name,
      model,
      promptTokens,
      maxTokens: call.maxTokens + thinkingTokens,
      minTokens: Math.min(MIN_TOKENS, call.maxTokens) + thinkingTokens,
      ...toDearestRates(price, promptTokens),
      callNumber: this.#callNumber,
      isServerKey: isOfServer(key),
      prompt: { model, temperature, answer, messages },
      quoted,
    });
    if ('kind' in reservation) {
      metrics.refusedByBudget();
      const { stepId } = this.#billing;
      logger.info('model call refused by the budget', { stepId, limit: reservation.limit });
      throw reservation.limit === 'server-key'
        ? new ServerKeySpent()
        : new DomainError('over-budget', "the call does not fit into the day's budget");
    }
    const affordable = { ...call, maxTokens: reservation.maxTokens - thinkingTokens };
    this.#reserved = { ...reservation, call: affordable, startedAt: performance.now() };
    return affordable;
  }

  /** Charges what the vendor bills, else the upper bound, and stores the reply of the step. */
  async settle(reply: ProviderReply): Promise<ChargedReply> {
    const { callId, call, maxTokens, startedAt } = this.#getReserved();
    const seconds = (performance.now() - startedAt) / 1_000;
    const { metrics, ledger } = this.#deps;
    const { provider, model } = reply;
    const bound = { promptTokens: promptTokensBound(call), completionTokens: maxTokens };
    const bill = this.#getBill(reply.usage);
    const billed: ModelReply = {
      ...reply,
      usage: reply.usage ?? bound,
      ...(bill === null ? { isEstimated: true } : {}),
    };
    const calls = this.#callNumber;
    const { complexity, fallbackFrom } = this.#candidate;
    const charged = await writeToLedger(this.#deps, () =>
      ledger.settle(this.#billing, { callId, reply: billed, bill, fallbackFrom, calls }),
    );
    if (bill === null) {
      metrics.usageNotStated({ provider, state: 'estimated' });
    }
    const { costUsd } = charged;
    const label = provider === 'endpoint' ? provider : model; // names of users' models have no bound
    const { usage } = reply;
    metrics.answered({ provider, model: label, complexity, usage, costUsd, seconds });
    return charged;
  }

  /** Releases the reservation, settles what the provider billed for the failure, or leaves it as of unknown outcome. */
  async close(error: unknown): Promise<void> {
    if (this.#reserved === null) {
      return;
    }
    const { callId } = this.#reserved;
    const { ledger, metrics } = this.#deps;
    const errorCode = error instanceof DomainError ? error.code : 'internal';
    const usage = getBilledUsage(error);
    const bill = typeof usage === 'string' ? null : this.#getBill(usage);
    if (bill === null && usage !== 'none') {
      metrics.usageNotStated({ provider: this.#candidate.provider.name, state: 'unknown' });
    }
    await writeToLedger(this.#deps, () => {
      if (usage === 'none') {
        return ledger.release(callId, { errorCode });
      }
      return usage === 'unknown' || bill === null
        ? ledger.leaveUnknown(callId, { errorCode })
        : ledger.settleFailure(callId, { errorCode, usage, bill });
    });
  }

  /** Counts the attempt that ended with this call as a failed one of its step. */
  async countFailedAttempt(): Promise<void> {
    const { callId } = this.#getReserved();
    await writeToLedger(this.#deps, () => this.#deps.ledger.countFailedAttempt(callId));
  }

  /** @returns null where the usage is not stated, or its service tier has no price */
  #getBill(usage: Usage | null): readonly BillLine[] | null {
    const { price } = this.#candidate;
    return usage === null || price === null ? null : toBill(price, usage);
  }

  #getReserved(): Reserved {
    if (this.#reserved === null) {
      throw new DomainError('internal', 'a call was booked before its reservation');
    }
    return this.#reserved;
  }
}

/** Whether the server pays: with a key of its own, or a server that is shared by all. */
function isOfServer({ provider, keyId, endpoint }: PayingKey): boolean {
  return endpoint === undefined ? keyId === null && provider !== 'simulated' : endpoint.isShared;
}

/** Failures that a provider answers instead of working. */
const NOT_BILLED = ['model-key-refused', 'model-request-invalid', 'model-rate-limited'];

/** In doubt unknown: only an answer that was an error, or a call that never left, is certainly free. */
function getBilledUsage(error: unknown): Billing {
  if (error instanceof ModelCallError) {
    return error.billing;
  }
  return error instanceof DomainError && NOT_BILLED.includes(error.code) ? 'none' : 'unknown';
}
