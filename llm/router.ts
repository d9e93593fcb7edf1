import { DomainError } from '../domain/errors.js';
import type { ProviderName } from '../domain/models.js';
import { toStorable } from '../domain/storable-text.js';
import type { Logger } from '../telemetry/logger.js';
import { noteAsked } from './attempt-scope.js';
import { OPEN_GATES, type Gates } from './gates.js';
import { silentMetrics, type ModelMetrics } from './metrics.js';
import type {
  ModelCall,
  ModelRequest,
  PayingKey,
  Provider,
  ProviderReply,
  TakeText,
} from './model.js';
import {
  findModel,
  listChoices,
  type ModelCatalog,
  type ModelChoice,
  type ModelSettings,
} from './routing/model-catalog.js';
import { isRetryable } from './vendor-errors.js';

export type Providers = Readonly<Partial<Record<ProviderName, Provider>>>;

export interface RouterDeps {
  readonly providers: Providers;
  readonly catalog: ModelCatalog;
  readonly settings: ModelSettings;
  /** Circuits and places; absent: nobody is held back. */
  readonly gates?: Gates;
  readonly metrics?: ModelMetrics;
  readonly logger: Logger;
}

/** What one candidate would be asked, and who it is. */
export interface PlannedTurn {
  readonly provider: Provider;
  readonly key: PayingKey;
  readonly call: ModelCall;
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  /** Provider of the first candidate, where this is a later one. */
  readonly fallbackFrom: ProviderName | null;
}

/** One candidate's turn of a pass. */
export interface PassTurn extends PlannedTurn {
  /** 1, 2 … of the calls that the pass makes */
  readonly number: number;
}

export interface RouteOptions<Reply> {
  readonly signal: AbortSignal;
  /** Makes the call; `metered.ts` reserves and settles around it. */
  readonly send: (turn: PassTurn) => Promise<Reply>;
  /** Called when all who were asked have failed retryably: the pass counts as a failed attempt. */
  readonly failPass?: () => Promise<void>;
}

export interface Router {
  /**
   * One pass over the allowed candidates, best first (contract, decision 9): a retryable failure
   * passes to the next vendor, a final one ends the pass. Vendors that rest after failures, and
   * keys that have no place for the call, are passed over.
   *
   * @param keys all real, or only the simulated one
   * @throws `no-llm-key`, what the candidates threw, `cancelled`; `model-on-hold` with the wait if
   *   nobody was asked
   */
  complete<Reply>(
    request: ModelRequest,
    keys: readonly PayingKey[],
    options: RouteOptions<Reply>,
  ): Promise<Reply>;
}

export function createRouter(deps: RouterDeps): Router {
  return {
    async complete(request, keys, options) {
      const turns = turnsOf(deps, { request, keys, signal: options.signal });
      if (turns.length === 0) {
        throw new DomainError('no-llm-key', 'no LLM provider configured');
      }
      const gates = request.simulated ? OPEN_GATES : (deps.gates ?? OPEN_GATES);
      const failures: DomainError[] = [];
      let number = 0;
      for (const turn of turns) {
        const noteFailure = noteAsked(turn.provider.name, turn.call.model);
        const knock = await gates.knock(turn.key);
        if (knock.kind === 'held-back') {
          noteFailure(knock.error);
          failures.push(knock.error);
          continue;
        }
        const call = () => {
          announceFallback(deps, turn, turns);
          number += 1;
          return options.send({ ...turn, number });
        };
        try {
          return await knock.way.go(call, options.signal);
        } catch (error) {
          noteFailure(error);
          failures.push(survived(deps, turn, error));
        }
      }
      if (!failures.every(isOnHold)) {
        await options.failPass?.();
      }
      throw leastPatient(failures);
    },
  };
}

/** Sends without charging anybody: for key checks and tests. Each reply is read here. */
export async function sendPlainly(
  { provider, key, call, request, signal }: PlannedTurn,
  onDelta?: TakeText,
): Promise<ProviderReply> {
  const { timeoutMs } = request;
  const options = { apiKey: key.apiKey, signal, timeoutMs, onDelta };
  return toStorable(await provider.complete(call, options));
}

interface Order {
  readonly request: ModelRequest;
  readonly keys: readonly PayingKey[];
  readonly signal: AbortSignal;
}

function turnsOf(
  { providers, catalog, settings }: RouterDeps,
  order: Order,
): readonly PlannedTurn[] {
  const { request, signal } = order;
  const keys = order.keys.filter(
    ({ provider }) => (provider === 'simulated') === request.simulated,
  );
  const usable = keys.flatMap((key) => {
    const provider = providers[key.provider];
    return provider === undefined ? [] : [{ key, provider }];
  });
  const candidates = listChoices(
    catalog,
    request,
    usable.map(({ provider }) => provider.name),
    settings,
  );
  return candidates.flatMap((candidate, index) => {
    const chosen = usable.find(({ provider }) => provider.name === candidate.provider);
    return chosen === undefined
      ? []
      : [
          {
            ...chosen,
            call: callOf(catalog, request, candidate),
            request,
            signal,
            fallbackFrom: index === 0 ? null : (candidates[0]?.provider ?? null),
          },
        ];
  });
}

/** Source: contract, decision 23. */
const UNKNOWN_CONTEXT_TOKENS = 100_000;

function callOf(catalog: ModelCatalog, request: ModelRequest, { model }: ModelChoice): ModelCall {
  const listed = findModel(catalog, model);
  const thinkingTokens = listed?.thinkingTokens ?? 0;
  const context = listed?.contextTokens ?? UNKNOWN_CONTEXT_TOKENS;
  const room = Math.max(context - request.maxTokens - thinkingTokens, Math.floor(context / 2));
  return {
    model,
    messages: request.messagesWithin?.(room) ?? request.messages,
    temperature: request.temperature,
    maxTokens: request.maxTokens,
    purpose: request.purpose,
    isReasoning: listed?.reasons ?? false,
    thinkingTokens,
    ...(request.answer === undefined ? {} : { answer: request.answer }),
  };
}

function announceFallback(
  deps: RouterDeps,
  turn: PlannedTurn,
  turns: readonly PlannedTurn[],
): void {
  const before = turns[turns.indexOf(turn) - 1];
  if (before !== undefined) {
    const step = { from: before.provider.name, to: turn.provider.name };
    (deps.metrics ?? silentMetrics).fellBack(step);
    deps.logger.warn('model call falls back', step);
  }
}

/** The failure after which the next vendor is asked. @throws it, if it ends the pass */
function survived(deps: RouterDeps, turn: PlannedTurn, error: unknown): DomainError {
  if (isOnHold(error)) {
    return error;
  }
  reportFailure(deps, turn, error);
  if (isRetryable(error)) {
    return error;
  }
  throw error;
}

function reportFailure({ metrics, logger }: RouterDeps, turn: PlannedTurn, error: unknown): void {
  const code = error instanceof DomainError ? error.code : 'internal';
  const provider = turn.provider.name;
  if (code === 'over-budget') {
    return; // nothing was called
  }
  (metrics ?? silentMetrics).failed({ provider, code });
  logger.warn('model call failed', { provider, model: turn.call.model, code });
}

function isOnHold(error: unknown): error is DomainError {
  return error instanceof DomainError && error.code === 'model-on-hold';
}

/**
 * The failure of the vendor that may answer first: another one's long quota must not hold a run.
 * That nobody was asked is the failure only where it is so of all; else it may shorten the wait.
 */
function leastPatient(failures: readonly DomainError[]): DomainError {
  const asked = failures.filter((failure) => !isOnHold(failure));
  const waits = failures.map(waitOf);
  const retryAfterSeconds = Math.min(...waits);
  const chosen = soonest(asked.length > 0 ? asked : failures);
  if (chosen === undefined) {
    return new DomainError('model-unavailable', 'no model answered');
  }
  return waitOf(chosen) === retryAfterSeconds
    ? chosen
    : new DomainError(chosen.code, chosen.message, { cause: chosen, retryAfterSeconds });
}

function soonest(failures: readonly DomainError[]): DomainError | undefined {
  const shortest = Math.min(...failures.map(waitOf));
  return failures.findLast((failure) => waitOf(failure) === shortest);
}

function waitOf({ retryAfterSeconds = 0 }: DomainError): number {
  return retryAfterSeconds;
}
