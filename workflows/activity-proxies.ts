/**
 * Every timeout and retry policy, by kind of work. Temporal's own attempts are unlimited: they
 * cover lost workers and stores that are away; a vendor's failures are counted in the ledger.
 */
import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import { QUESTIONS } from '../domain/discussion/decide.js';
import { TURN_PRIORITY } from '../domain/run/priorities.js';
import type { Activities } from '../activities/index.js';
import { VENDORS } from '../domain/agents/models.js';
import { NODE_STEPS } from '../domain/run/node-steps.js';

/** A call may wait for a permit among those of its key (llm/routing/guard.ts). */
const PERMIT_MS = 10_000;
/** A reply that has arrived is stored for up to 120 s while PostgreSQL is away (llm/billing/ledger-writes.ts). */
const STORE_MS = 150_000;
/** Longest single vendor call of a turn, in milliseconds (activities/discussion/answers.ts). */
const TURN_CALL_TIMEOUT_MS = 60_000;

/**
 * How long an attempt may take whose provider calls take at most `callTimeoutMs` each: each of its steps
 * may call each of the vendors once. What a turn asks for takes the same steps as a node.
 */
export function attemptTimeoutMs(callTimeoutMs: number): number {
  return (PERMIT_MS + callTimeoutMs) * VENDORS.length * NODE_STEPS.length + STORE_MS;
}

const UNLIMITED_RETRIES = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
} as const;

const RECORD_RETRIES = {
  initialInterval: '250ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
} as const;

/** Calls that cost money or leave the house: they beat, so that a lost worker is noticed in 10 s. */
export const paid = proxyActivities<
  Pick<Activities, 'runAgent' | 'analyzeIntent' | 'generateDesigns' | 'critiqueDesigns'>
>({
  startToCloseTimeout: attemptTimeoutMs(TURN_CALL_TIMEOUT_MS),
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: UNLIMITED_RETRIES,
});

/** The questions of the turn that asks most. */
const MOST_QUESTIONS = Math.max(...Object.values(QUESTIONS).map(({ length }) => length));

/**
 * A whole turn: its beginning and its end are short transactions, repeated soon where a store is away;
 * a provider that fails is no reason to repeat it.
 */
export const turns = proxyActivities<Pick<Activities, 'takeTurn'>>({
  priority: { priorityKey: TURN_PRIORITY }, // its fairness is the workflow's
  startToCloseTimeout: attemptTimeoutMs(TURN_CALL_TIMEOUT_MS) * MOST_QUESTIONS,
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: RECORD_RETRIES,
});

/** One short transaction each, idempotent by step key; they outlast a store that is away. */
export const records = proxyLocalActivities<
  Pick<
    Activities,
    | 'loadDiscussion'
    | 'beginTurn'
    | 'endTurn'
    | 'saveTalk'
    | 'admitPlan'
    | 'readRun'
    | 'openRun'
    | 'closeRun'
  >
>({
  startToCloseTimeout: '20s',
  localRetryThreshold: '5s', // longer waits are timers, which a long outage does not pile up
  retry: RECORD_RETRIES,
});

/**
 * What a run writes while other things may happen to it. Regular activities: when a local one lasts
 * longer than its workflow task, a replay may tell its end in another order with the signals of
 * then; and one that was decided on before a worker was lost is still done, also where another decision follows.
 */
export const waits = proxyActivities<
  Pick<Activities, 'askForApproval' | 'takeDecision' | 'parkRun' | 'unparkRun'>
>({
  startToCloseTimeout: '20s',
  heartbeatTimeout: '10s',
  retry: RECORD_RETRIES,
});

/** Maintenance in the background: a few seconds at a time, repeated until it is done. */
export const maintenance = proxyActivities<
  Pick<Activities, 'prune' | 'closeAccount' | 'stopRuns' | 'removeWorkflows' | 'removeRecords'>
>({
  startToCloseTimeout: '1m',
  heartbeatTimeout: '10s',
  retry: UNLIMITED_RETRIES,
});

/** Reads and stores whole runs; with a large history it takes its time. */
export const archives = proxyActivities<
  Pick<Activities, 'archiveEnded' | 'archiveRun' | 'archiveDiscussion'>
>({
  startToCloseTimeout: '2m',
  heartbeatTimeout: '10s',
  retry: UNLIMITED_RETRIES,
});

/** Asks a vendor whether a key is accepted; the API waits for it. */
export const keyChecks = proxyActivities<Pick<Activities, 'checkKey'>>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '20s',
  retry: { maximumAttempts: 2 },
});
