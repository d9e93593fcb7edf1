/**
 * Round every model call: find the reply that an earlier attempt has stored, else reserve, call,
 * and settle, release or leave the reservation. Whoever asks a model writes none of it. A ledger
 * that is away before the call fails the attempt; after it, the outcome is written when it is back.
 */
import type { Charge, Ledger, Reservation } from '../domain/costs.js';
import { DomainError, ServerKeySpent } from '../domain/errors.js';
import type { StepId } from '../domain/ids.js';
import type { ChargedReply, ModelReply } from '../domain/models.js';
import type { SentPrompt } from '../domain/prompt-records.js';
import { chargeScope } from './charge-scope.js';
import { silentMetrics, type ModelMetrics } from './metrics.js';
import type { ModelCall, ModelRequest, PayingKey, ProviderReply, TakeText } from './model.js';
import { persist, type PersistenceDeps } from './persistence.js';
import { getPrice, type ModelCatalog } from './routing/model-catalog.js';
import { sendPlainly, type Router, type PassTurn } from './router.js';
import { promptTokensBound } from './token-estimate.js';
import { ModelCallError, type Billing } from './vendor-errors.js';

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
  readonly catalog: ModelCatalog;
  readonly ledger: Ledger;
  /** The keys that may pay, opened; only the simulated one where `simulated` is true. */
  readonly findKeys: (
    charge: Charge,
    options: { simulated: boolean },
  ) => Promise<readonly PayingKey[]>;
  readonly metrics?: ModelMetrics;
  /** Learns of each call that is made with a key, and of a vendor's refusal of the key itself. */
  readonly keyNotes?: KeyNotes;
}

export interface KeyNotes {
  used(key: PayingKey): void;
  refused(key: PayingKey, charge: Charge): void;
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
      let lastCallId: string | null = null;
      const onReserved = (callId: string) => {
        lastCallId = callId;
      };
      return deps.router.complete(request, keys, {
        signal,
        send: (turn) => sendCharged({ ...deps, beginReply, onReserved }, charge, turn),
        failPass: async () => {
          const callId = lastCallId;
          if (callId !== null) {
            await persist(deps, () => deps.ledger.failPass(callId));
          }
        },
      });
    },
  };
}

type SendingDeps = MeteredDeps &
  Pick<CompleteOptions, 'beginReply'> & { readonly onReserved: (callId: string) => void };

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
  deps.onReserved(reservation.callId);
  deps.keyNotes?.used(turn.key);
  const startedAt = performance.now();
  const reply = await sendReserved(deps, turn, reservation).catch((error: unknown) => {
    if (isKeyRefused(error, turn)) {
      deps.keyNotes?.refused(turn.key, charge);
    }
    throw error;
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const { callId } = reservation;
  const { fallbackFrom, number: calls } = turn;
  const charged = await persist(deps, () =>
    deps.ledger.settle(charge, { callId, reply, fallbackFrom, calls }),
  );
  const metrics = deps.metrics ?? silentMetrics;
  const isStated = reply.isEstimated !== true;
  if (!isStated) {
    metrics.usageNotStated({ provider: reply.provider, state: 'estimated' });
  }
  metrics.answered({
    provider: reply.provider,
    model: reply.model,
    complexity: turn.request.complexity,
    usage: isStated ? reply.usage : null,
    costUsd: charged.costUsd,
    seconds,
  });
  return charged;
}

/** 403 of most vendors is about one model or resource, which another call may do without. */
function isKeyRefused(error: unknown, { key }: PassTurn): boolean {
  return (
    error instanceof ModelCallError &&
    error.code === 'model-key-refused' &&
    (error.status !== 403 || key.provider === 'google')
  );
}

async function reserve(deps: MeteredDeps, charge: Charge, turn: PassTurn): Promise<Reservation> {
  const { call } = turn;
  const price = getPrice(deps.catalog, call.model);
  const thinking = call.thinkingTokens ?? 0;
  if (price === null) {
    throw new DomainError('model-unpriced', `the model ${call.model} has no known price`);
  }
  const reservation = await deps.ledger.reserve(charge, {
    provider: turn.provider.name,
    model: call.model,
    promptTokens: promptTokensBound(call),
    maxTokens: call.maxTokens + thinking,
    minTokens: Math.min(MIN_TOKENS, call.maxTokens) + thinking,
    inputUsdPerMillion: price.inputUsdPerMillion,
    outputUsdPerMillion: price.outputUsdPerMillion,
    callNumber: turn.number,
    isServerKey: turn.key.keyId === null && turn.key.provider !== 'simulated',
    prompt: sentPrompt(call),
    quoted: turn.request.quoted ?? [],
  });
  if ('kind' in reservation) {
    (deps.metrics ?? silentMetrics).refusedByBudget();
    const { limit } = reservation;
    deps.logger.info('model call refused by the budget', { stepId: charge.stepId, limit });
    throw reservation.limit === 'server-key'
      ? new ServerKeySpent()
      : new DomainError('over-budget', "the call does not fit into the day's budget");
  }
  return reservation;
}

/** What the provider makes its request of. */
function sentPrompt({ model, temperature, answer, messages }: ModelCall): SentPrompt {
  return { model, temperature, answer: answer ?? null, messages };
}

/** On every failure the reservation is settled, released, or kept as of unknown outcome. */
async function sendReserved(
  deps: SendingDeps,
  turn: PassTurn,
  reservation: Reservation,
): Promise<ModelReply> {
  const { callId } = reservation;
  const maxTokens = reservation.maxTokens - (turn.call.thinkingTokens ?? 0);
  try {
    const call = { ...turn.call, maxTokens };
    const reply = await sendPlainly({ ...turn, call }, deps.beginReply?.());
    return withBill(reply, call, reservation);
  } catch (error) {
    if (billingOf(error) === 'unknown') {
      const { name: provider } = turn.provider;
      (deps.metrics ?? silentMetrics).usageNotStated({ provider, state: 'unknown' });
    }
    await closeFailed(deps, callId, error);
    throw error;
  }
}

/** What the provider does not state is charged at the upper bound, and says so. */
function withBill(reply: ProviderReply, call: ModelCall, { maxTokens }: Reservation): ModelReply {
  const { usage, ...rest } = reply;
  return usage === null
    ? {
        ...rest,
        usage: { promptTokens: promptTokensBound(call), completionTokens: maxTokens },
        isEstimated: true,
      }
    : { ...rest, usage };
}

async function closeFailed(deps: SendingDeps, callId: string, error: unknown): Promise<void> {
  const errorCode = error instanceof DomainError ? error.code : 'internal';
  const billing = billingOf(error);
  await persist(deps, async () => {
    if (billing === 'unknown') {
      await deps.ledger.leaveUnknown(callId, { errorCode });
    } else if (billing === 'none') {
      await deps.ledger.release(callId, { errorCode });
    } else {
      await deps.ledger.settleFailure(callId, { errorCode, usage: billing });
    }
  });
}

/** Failures that a vendor answers instead of working. */
const NOT_BILLED = ['model-key-refused', 'model-request-invalid', 'model-rate-limited'];

/** In doubt unknown: only an answer that was an error, or a call that never left, is certainly free. */
function billingOf(error: unknown): Billing {
  if (error instanceof ModelCallError) {
    return error.billing;
  }
  return error instanceof DomainError && NOT_BILLED.includes(error.code) ? 'none' : 'unknown';
}
