import type { BillLine } from './bill.js';
import type { StepId, UserId } from '../ids.js';
import type { QuotedText, SentPrompt } from '../agents/prompt-records.js';
import type { ChargedReply, ModelReply, ProviderName, Usage } from '../agents/models.js';

/**
 * Who pays for the current step, opened by the worker's inbound interceptor and read by the
 * metered models; a new kind of node writes none of it.
 */
export interface BillingContext {
  readonly userId: UserId;
  readonly stepId: StepId;
  /** Temporal run id and attempt: with the step and a call number they name one vendor call. */
  readonly runId: string;
  readonly attempt: number;
  readonly pipelineId: string | null;
  readonly conversationId: string | null;
}

export interface Reservation {
  readonly callId: string;
  /** `max_tokens` after lowering it to what the budget affords. */
  readonly maxTokens: number;
}

export interface CallEstimate {
  readonly provider: ProviderName;
  readonly model: string;
  /** Upper bound, counted conservatively. */
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Never lower `maxTokens` under this. */
  readonly minTokens: number;
  /** The dearest that the call can meet: decimal texts, US dollars per 1 million tokens. */
  readonly inputUsdPerMillion: string;
  readonly outputUsdPerMillion: string;
  /** 1, 2 … within the attempt */
  readonly callNumber: number;
  /** Whether a vendor key of the server pays, and not one of the user. Default: no. */
  readonly isServerKey?: boolean;
  /** What is sent, to be kept with the call. */
  readonly prompt?: SentPrompt;
  /** What the prompt repeats of earlier steps, to be kept by its ids. */
  readonly quoted?: readonly QuotedText[];
}

/** Which limit left no room. */
export interface OverBudget {
  readonly kind: 'over-budget';
  readonly limit: 'user' | 'server-key';
}

/** Where money is counted: PostgreSQL (`db/billing/costs.ts`), exactly. */
export interface Ledger {
  /** The reply that an earlier attempt of this step has stored, if any. */
  findReply(stepId: StepId): Promise<ChargedReply | null>;
  /**
   * Reserves the call's upper bound against the user's UTC day, or says that it does not fit.
   * Also marks this step's calls of earlier attempts that are still open as `unknown`.
   */
  reserve(billing: BillingContext, estimate: CallEstimate): Promise<Reservation | OverBudget>;
  /**
   * Replaces the reservation by the vendor's bill and stores the reply, in one transaction. Without a bill the
   * reservation stays charged, and the call is `estimated`, never `settled`.
   */
  settle(billing: BillingContext, call: AnsweredCall): Promise<ChargedReply>;
  /** Gives the reservation back: the vendor answered with an error and bills nothing. */
  release(callId: string, outcome: FailedCall): Promise<void>;
  /** Replaces the reservation by what the vendor bills for an answer that is no reply. */
  settleFailure(
    callId: string,
    outcome: FailedCall & { readonly usage: Usage; readonly bill: readonly BillLine[] },
  ): Promise<void>;
  /** Keeps the reservation charged: nothing says whether the vendor bills the call. */
  leaveUnknown(callId: string, outcome: FailedCall): Promise<void>;
  /** Counts the pass that ended with this call as a failed attempt of its step. */
  countFailedAttempt(callId: string): Promise<void>;
  /** What has failed of this step so far. */
  readFailures(stepId: StepId): Promise<StepFailures>;
}

export interface AnsweredCall {
  readonly callId: string;
  readonly reply: ModelReply;
  /** null: what the vendor bills is not known */
  readonly bill: readonly BillLine[] | null;
  readonly fallbackFrom: ProviderName | null;
  readonly calls: number;
}

export interface FailedCall {
  readonly errorCode: string;
}

export interface StepFailures {
  /** Passes that failed retryably; counts against `retry_count`. */
  readonly passes: number;
  /** Calls that were answered without a text. */
  readonly emptyAnswers: number;
  /** Why the last pass failed, and at whom it ended; null: none has. */
  readonly last: { readonly code: string; readonly provider: ProviderName } | null;
}
