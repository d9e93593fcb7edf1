import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Source: contract, http §2. */
const DURATION_BUCKETS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60];
const WAIT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface AnsweredCall {
  readonly provider: string;
  readonly model: string;
  readonly complexity: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number } | null;
  readonly costUsd: number;
  readonly seconds: number;
}

/**
 * Counts model calls under the contract's names; fulfils `ModelMetrics` of llm/metrics.ts.
 *
 * Labels are bounded: a model is one of the registry, a code one of `ErrorCode`.
 */
export function createModelMetrics(registry: Registry) {
  const meters = metersOf(registry);
  return {
    answered({ provider, model, complexity, usage, costUsd, seconds }: AnsweredCall): void {
      meters.requests.inc({ provider, model, complexity });
      meters.tokens.inc({ provider, model, type: 'input' }, usage?.promptTokens ?? 0);
      meters.tokens.inc({ provider, model, type: 'output' }, usage?.completionTokens ?? 0);
      meters.cost.inc({ provider, model }, costUsd);
      meters.duration.observe({ provider, model }, seconds);
    },
    usageNotStated({
      provider,
      state,
    }: {
      readonly provider: string;
      readonly state: string;
    }): void {
      meters.notStated.inc({ provider, state });
    },
    failed({ provider, code }: { readonly provider: string; readonly code: string }): void {
      meters.errors.inc({ provider, code });
    },
    fellBack({ from, to }: { readonly from: string; readonly to: string }): void {
      meters.fallbacks.inc({ from, to });
    },
    retried({ provider }: { readonly provider: string }): void {
      meters.retries.inc({ provider });
    },
    refusedByBudget(): void {
      meters.refusals.inc();
    },
    circuitMoved({ provider, to }: { readonly provider: string; readonly to: string }): void {
      meters.moves.inc({ provider, state: to });
    },
    waited({ provider, seconds }: { readonly provider: string; readonly seconds: number }): void {
      meters.waits.observe({ provider }, seconds);
    },
    heldBack({ provider, reason }: { readonly provider: string; readonly reason: string }): void {
      meters.holds.inc({ provider, reason });
    },
  };
}

function metersOf(registry: Registry) {
  const registers = [registry];
  return {
    ...guardMetersOf(registry),
    requests: new Counter({
      name: 'llm_requests_total',
      help: 'Model calls that were answered',
      labelNames: ['provider', 'model', 'complexity'],
      registers,
    }),
    tokens: new Counter({
      name: 'llm_tokens_total',
      help: "Tokens by the vendors' own count",
      labelNames: ['provider', 'model', 'type'],
      registers,
    }),
    cost: new Counter({
      name: 'llm_cost_dollars_total',
      help: 'Cost of answered model calls in US dollars',
      labelNames: ['provider', 'model'],
      registers,
    }),
    notStated: new Counter({
      name: 'llm_usage_not_stated_total',
      help: 'Model calls charged at their upper bound: answered without usage (estimated), or of unknown end',
      labelNames: ['provider', 'state'],
      registers,
    }),
    duration: new Histogram({
      name: 'llm_request_duration_seconds',
      help: 'Duration of answered model calls',
      labelNames: ['provider', 'model'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    errors: new Counter({
      name: 'llm_errors_total',
      help: 'Model calls that failed, by error code',
      labelNames: ['provider', 'code'],
      registers,
    }),
    fallbacks: new Counter({
      name: 'llm_fallbacks_total',
      help: 'Times the next vendor was asked after a retryable failure',
      labelNames: ['from', 'to'],
      registers,
    }),
    retries: new Counter({
      name: 'llm_retries_total',
      help: 'Steps that asked a model again after a failed or lost attempt',
      labelNames: ['provider'],
      registers,
    }),
    refusals: new Counter({
      name: 'llm_budget_refusals_total',
      help: 'Model calls that the daily budget refused',
      registers,
    }),
  };
}

function guardMetersOf(registry: Registry) {
  const registers = [registry];
  return {
    moves: new Counter({
      name: 'llm_circuit_moves_total',
      help: 'Times a circuit of a vendor and key has become open, half-open or closed',
      labelNames: ['provider', 'state'],
      registers,
    }),
    holds: new Counter({
      name: 'llm_calls_held_back_total',
      help: 'Times a vendor was passed over: its circuit is open, or its key has no place',
      labelNames: ['provider', 'reason'],
      registers,
    }),
    waits: new Histogram({
      name: 'llm_place_wait_seconds',
      help: 'Waits of calls whose key had its calls in use; calls that found a place do not count',
      labelNames: ['provider'],
      buckets: WAIT_BUCKETS,
      registers,
    }),
  };
}

interface Retirement {
  readonly provider: string;
  readonly model: string;
  readonly days: number;
}

/** @param list the models that retire soon, asked whenever the page is read */
export function watchRetirements(registry: Registry, list: () => readonly Retirement[]): void {
  new Gauge({
    name: 'model_retires_in_days',
    help: 'Days until a vendor stops to serve a listed model, from 60 days before',
    labelNames: ['provider', 'model'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { provider, model, days } of list()) {
        this.set({ provider, model }, days);
      }
    },
  });
}
