import type { Ending } from './process.js';

/**
 * How the parts of `npm start` are stopped, and how long they may take; then they are killed, which
 * takes a moment. They stop one after the other, so all of it together bounds a stop: below 20 s.
 */
export const STOPPING = {
  /** It answers what is under way; what it cannot is repeated by its client. */
  api: { stopTimeoutMs: 3_000 },
  /** It drains: it lets running steps end, and what it cannot end is repeated later. */
  worker: { stopTimeoutMs: 9_000 },
  /** No worker waits for it any more. */
  collector: { stopTimeoutMs: 1_000 },
  /** Its store survives a kill. */
  temporal: { stopTimeoutMs: 1_500 },
  /** It keeps nothing. */
  redis: { stopTimeoutMs: 500 },
  /** "fast": ends sessions, writes a checkpoint; a cluster that is killed recovers at its next start. */
  postgres: { stopSignal: 'SIGINT', stopTimeoutMs: 2_500 },
} as const satisfies Readonly<Record<string, Ending>>;

/**
 * However late timers fire on a machine under load: what has not ended this long after a stop was asked
 * for is killed, all at once. Killing takes a moment, and the whole stop stays below 20 s.
 */
export const STOP_LIMIT_MS = 18_000;
