import type { ErrorCode } from '../domain/errors.js';
import type { ComplexityClass, ProviderName, Usage } from '../domain/agents/models.js';

/** What is counted of model calls; telemetry/model-metrics.ts keeps it for Prometheus. */
export interface ModelMetrics {
  answered(call: AnsweredCall): void;
  /** A call is charged at its bound: nothing states what it used. */
  usageNotStated(call: {
    readonly provider: ProviderName;
    readonly state: 'estimated' | 'unknown';
  }): void;
  failed(call: { readonly provider: ProviderName; readonly code: ErrorCode }): void;
  /** The next provider was asked after `from` had failed. */
  fellBack(step: { readonly from: ProviderName; readonly to: ProviderName }): void;
  /** A step that failed before is asked again, from the first provider on. */
  retried(call: { readonly provider: ProviderName }): void;
  refusedByBudget(): void;
  /** Counted by the worker whose call has moved it. */
  circuitMoved(move: { readonly provider: ProviderName; readonly to: CircuitState }): void;
  /** A call waited for a permit of its key, also if in vain. */
  waited(wait: { readonly provider: ProviderName; readonly seconds: number }): void;
  /** A provider was not asked: its circuit is open, or its key has no free permit. */
  heldBack(call: { readonly provider: ProviderName; readonly reason: HoldReason }): void;
}

export type CircuitState = 'closed' | 'open' | 'half-open';
export type HoldReason = 'circuit-open' | 'no-place';

export interface AnsweredCall {
  readonly provider: ProviderName;
  readonly model: string;
  readonly complexity: ComplexityClass;
  /** null: the provider did not state it */
  readonly usage: Usage | null;
  readonly costUsd: number;
  readonly seconds: number;
}

export const silentMetrics: ModelMetrics = {
  answered: () => undefined,
  usageNotStated: () => undefined,
  failed: () => undefined,
  fellBack: () => undefined,
  retried: () => undefined,
  refusedByBudget: () => undefined,
  circuitMoved: () => undefined,
  waited: () => undefined,
  heldBack: () => undefined,
};
