/**
 * How long our processes wait for Temporal: every such limit, with its reason. gRPC repeats a call that
 * finds the server away until its time is over, so one limit covers the call and its repeats.
 */
import type { Client } from '@temporalio/client';

/** One call. Its caller (a request, the reconciler, an activity) tries again later. */
export const CALL_TIMEOUT_MS = 5_000;

/** A list of thousands of workflows, or a large history. It holds up no other work. */
export const LONG_CALL_TIMEOUT_MS = 30_000;

/**
 * Until a worker has taken an update. A person waits for it; after it the same request goes as a signal,
 * which Temporal keeps until a worker is there.
 */
export const UPDATE_TAKEN_TIMEOUT_MS = 2_000;
/** Until a run has recorded what it has taken: one short transaction, so more means that a store is away. */
export const UPDATE_ANSWER_TIMEOUT_MS = 5_000;
/** The same for a decision that went as a signal: a worker of an older release records it at once. */
export const DECISION_RECORDED_TIMEOUT_MS = 1_000;
export const DECISION_POLL_MS = 50;

/** A process that ends has half a second left for what it has not sent. */
export const CLOSING_TIMEOUT_MS = 500;

/** Until the cluster has answered a connection. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** gRPC's own limit is two minutes: the cluster would long be back before it is asked again. */
export const FIRST_RECONNECT_MS = 100;
export const LONGEST_RECONNECT_MS = 1_000;

/** A readiness check, which a load balancer repeats. */
export const READINESS_TIMEOUT_MS = 2_000;

/** Source: contract, README decision 15: registering a vendor key waits for its check up to 15 s. */
export const KEY_CHECK_TIMEOUT_MS = 15_000;

/**
 * Source: design.md §2: a message is sent again under its id for 10 s, then refused. A try lasts 3 s at
 * most, so that the next one notices a lost connection; one that has waited behind others gets 1 s.
 */
export const MESSAGE_TIMEOUT_MS = 10_000;
export const LONGEST_MESSAGE_TRY_MS = 3_000;
export const SHORTEST_MESSAGE_TRY_MS = 1_000;
export const FIRST_MESSAGE_RETRY_MS = 50;
export const LONGEST_MESSAGE_RETRY_MS = 1_000;

/** A server that a process needs at its start may come later than the process. */
export const FIRST_START_RETRY_MS = 250;
export const LONGEST_START_RETRY_MS = 2_000;

/** What our functions call Temporal with. */
export interface Temporal {
  readonly client: Client;
  /** That our workers poll. */
  readonly taskQueue: string;
  /** Limit of one call; tests shorten it. Default: `CALL_TIMEOUT_MS`. */
  readonly callTimeoutMs?: number;
  /** Until a worker has taken an update; tests lengthen it. Default: `UPDATE_TAKEN_TIMEOUT_MS`. */
  readonly updateTakenTimeoutMs?: number;
}

/** @throws what the calls of `work` throw, also when the time is over */
export function withTimeout<T>(
  { client, callTimeoutMs = CALL_TIMEOUT_MS }: Temporal,
  work: () => Promise<T>,
  timeoutMs = callTimeoutMs,
): Promise<T> {
  return client.withDeadline(Date.now() + timeoutMs, work);
}
