/**
 * What operators are shown of an activity that fails and is tried again. A workflow does not see the
 * attempts of its activities, so the worker that has made one tells it.
 */
import type { ErrorCode } from '../errors.js';

/** One that an attempt has asked, or would have asked. */
export interface AskedVendor {
  /** A provider, or `data-collector`. */
  readonly vendor: string;
  readonly model: string | null;
  /** Absent while it has not failed. */
  readonly code?: ErrorCode | null;
}

/** An attempt that has failed and is made again. */
export interface FailedAttempt {
  /** The activity's type. */
  readonly activity: string;
  /** Of an agent: its key in the graph. */
  readonly node: string | null;
  /** What was being asked, where an activity asks several things. */
  readonly call?: string;
  /** 1, 2 … */
  readonly attempt: number;
  /** An `ErrorCode`. */
  readonly code: string;
  /** What to do, and what has happened, in words of ours. */
  readonly advice: string;
  readonly asked: readonly AskedVendor[];
  /** Milliseconds since 1970, as the next one. */
  readonly failedAtMs: number;
  /** When the next attempt begins. */
  readonly nextAtMs: number;
}

/** Each report is an event of the workflow's history: beyond these only attempts 16, 32, 64 … are reported. */
const ALWAYS_TOLD = 10;

export function isTold(attempt: number): boolean {
  return attempt <= ALWAYS_TOLD || Number.isInteger(Math.log2(attempt));
}

/** `openai gpt-4o: model-timeout, anthropic claude-sonnet-4-5: model-unavailable`; '' for none. */
export function textOfAsked(asked: readonly AskedVendor[]): string {
  return asked
    .map(({ vendor, model, code }) => {
      const who = model === null ? vendor : `${vendor} ${model}`;
      return code == null ? who : `${who}: ${code}`;
    })
    .join(', ');
}
