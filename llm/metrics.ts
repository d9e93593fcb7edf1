import type { ErrorCode } from '../domain/errors.js';
import type { ComplexityClass, ProviderName, Usage } from '../domain/agents/models.js';

/** What the model room counts; telemetry/model-metrics.ts keeps it for Prometheus. */
export interface ModelMetrics {
  answered(call: AnsweredCall): void;
  /** A call is charged at its bound: nothing states what it used. */
  usageNotStated(call: {
    readonly provider: ProviderName;
    readonly state: 'estimated' | 'unknown';
  }): void;
  failed(call: { readonly provider: ProviderName; readonly code: ErrorCode }): void;
  /** The next vendor was asked after `from` had failed. */
  fellBack(step: { readonly from: ProviderName; readonly to: ProviderName }): void;
  /** A step that failed before is asked again, from the first vendor on. */
  retried(call: { readonly provider: ProviderName }): void;
  refusedByBudget(): void;
  /** Told by the worker whose call has moved it. */
  circuitMoved(move: { readonly provider: ProviderName; readonly to: CircuitState }): void;
  /** A call waited for one of its key's places, also if in vain. */
  waited(wait: { readonly provider: ProviderName; readonly seconds: number }): void;
  /** A vendor was not asked: its circuit is open, or its key has no place. */
  heldBack(call: { readonly provider: ProviderName; readonly reason: HoldReason }): void;
}

export type CircuitState = 'closed' | 'open' | 'half-open';
export type HoldReason = 'circuit-open' | 'no-place';

export interface AnsweredCall {
  readonly provider: ProviderName;
  readonly model: string;
  readonly complexity: ComplexityClass;
  /** null: the vendor did not state it */
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
