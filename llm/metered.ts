/**
 * Round every model call: find the reply that an earlier attempt has stored, else reserve, call,
 * and settle, release or leave the reservation. Whoever asks a model writes none of it. A ledger
 * that is away before the call fails the attempt; after it, the outcome is written when it is back.
 */
import type { Charge, Ledger, Reservation } from '../domain/costs.js';
import { DomainError } from '../domain/errors.js';
import type { StepId } from '../domain/ids.js';
import type { ChargedReply, ModelReply } from '../domain/models.js';
import { chargeScope } from './charge-scope.js';
import { silentMetrics, type ModelMetrics } from './metrics.js';
import type { ModelRequest, PayingKey, TakeText } from './model.js';
import { persist, type PersistenceDeps } from './persistence.js';
import { priceOf } from './registry.js';
import { sendPlainly, type Router, type PassTurn } from './router.js';
import { promptTokensBound } from './token-estimate.js';
import { ModelCallError, isRetryable } from './vendor-errors.js';

export interface Models {
  /**
   * Answers a request for whoever the charge scope names. A reply is stored once per step and
   * found by retries.
   *
   * @param options `stepId`: another step of the same payer than the scope's, for a repair
   * @throws `no-llm-key`, `over-budget`, `model-unpriced`, what `Provider.complete` throws
   */
  complete(request: ModelRequest, options: CompleteOptions): Promise<ChargedReply>;
}

export interface CompleteOptions {
  readonly signal: AbortSignal;
  readonly stepId?: StepId;
  /** The step is known to have no reply, so that none is looked for. */
  readonly isNew?: boolean;
  /**
   * Called before each vendor call, a retry or fail-over included; what it returns takes the text
   * of that call's reply as it comes. A stored reply is not told again.
   */
  readonly beginReply?: (() => TakeText) | undefined;
}

export interface MeteredDeps extends PersistenceDeps {
  readonly router: Router;
  readonly ledger: Ledger;
  /** The keys that may pay, opened; only the simulated one where `simulated` is true. */
  readonly findKeys: (
    charge: Charge,
    options: { simulated: boolean },
  ) => Promise<readonly PayingKey[]>;
  readonly metrics?: ModelMetrics;
}

/** Source: contract, decision 18: never under min(256, the requested value). */
const MIN_TOKENS = 256;

export function createMeteredModels(deps: MeteredDeps): Models {
  return {
    async complete(request, { signal, stepId, beginReply, isNew = false }) {
      const scope = chargeScope.getStore();
      if (scope === undefined) {
        throw new DomainError('internal', 'a model was asked outside of a charge scope');
      }
      const charge = { ...scope, stepId: stepId ?? scope.stepId };
      const stored = isNew ? null : await deps.ledger.findReply(charge.stepId);
      if (stored !== null) {
        return stored;
      }
      const keys = await deps.findKeys(charge, { simulated: request.simulated });
      return deps.router.complete(request, keys, {
        signal,
        send: (turn) => sendCharged({ ...deps, beginReply }, charge, turn),
      });
    },
  };
}

type SendingDeps = MeteredDeps & Pick<CompleteOptions, 'beginReply'>;

async function sendCharged(
  deps: SendingDeps,
  charge: Charge,
  turn: PassTurn,
): Promise<ChargedReply> {
  if (turn.signal.aborted) {
    throw new DomainError('cancelled', 'the model call was cancelled');
  }
  if (charge.attempt > 1 && turn.number === 1) {
    (deps.metrics ?? silentMetrics).retried({ provider: turn.provider.name });
  }
  const reservation = await reserve(deps, charge, turn);
  const startedAt = performance.now();
  const reply = await sendReserved(deps, turn, reservation);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { callId } = reservation;
  const { fallbackFrom, number: calls } = turn;
  const charged = await persist(deps, () =>
    deps.ledger.settle(charge, { callId, reply, fallbackFrom, calls }),
  );
  (deps.metrics ?? silentMetrics).answered({
    provider: reply.provider,
    model: reply.model,
    complexity: turn.request.complexity,
    usage: reply.usage,
    costUsd: charged.costUsd,
    seconds,
  });
  return charged;
}

async function reserve(deps: MeteredDeps, charge: Charge, turn: PassTurn): Promise<Reservation> {
  const { call } = turn;
  const price = priceOf(call.model);
  if (price === null) {
    throw new DomainError('model-unpriced', `the model ${call.model} has no known price`);
  }
  const reservation = await deps.ledger.reserve(charge, {
    provider: turn.provider.name,
    model: call.model,
    promptTokens: promptTokensBound(call),
    maxTokens: call.maxTokens,
    minTokens: Math.min(MIN_TOKENS, call.maxTokens),
    inputUsdPerMillion: price.inputUsdPerMillion,
    outputUsdPerMillion: price.outputUsdPerMillion,
    callNumber: turn.number,
  });
  if ('kind' in reservation) {
    (deps.metrics ?? silentMetrics).refusedByBudget();
    deps.logger.info('model call refused by the budget', { stepId: charge.stepId });
    throw new DomainError('over-budget', "the call does not fit into the day's budget");
  }
  return reservation;
}

/** Whatever goes wrong, the reservation is given back or kept as of unknown outcome. */
async function sendReserved(
  deps: SendingDeps,
  turn: PassTurn,
  { callId, maxTokens }: Reservation,
): Promise<ModelReply> {
  try {
    return await sendPlainly({ ...turn, call: { ...turn.call, maxTokens } }, deps.beginReply?.());
  } catch (error) {
    const outcome = {
      errorCode: error instanceof DomainError ? error.code : 'internal',
      passFailed: isRetryable(error) && !(await turn.hasNext()),
    };
    await persist(deps, () =>
      mayBeBilled(error)
        ? deps.ledger.leaveUnknown(callId, outcome)
        : deps.ledger.release(callId, outcome),
    );
    throw error;
  }
}

/** Failures that a vendor answers instead of working. */
const NOT_BILLED = ['model-key-refused', 'model-request-invalid', 'model-rate-limited'];

/** In doubt yes: only an answer that was an error, or a call that never left, is certainly free. */
function mayBeBilled(error: unknown): boolean {
  if (error instanceof ModelCallError) {
    return error.billing === 'unknown';
  }
  return !(error instanceof DomainError && NOT_BILLED.includes(error.code));
}
