/**
 * How long the parts of `npm start` may take to end once they are told to; then they are killed.
 * They stop one after the other, so all of it together is the longest that a stop takes: below 20 s.
 */
export const STOP_TIMEOUTS_MS = {
  api: 3_000,
  /** It drains: it lets running steps end, and what it cannot end is repeated later. */
  worker: 9_000,
  /** No worker waits for it any more. */
  collector: 1_500,
  /** Its store survives a kill. */
  temporal: 2_000,
  redis: 1_000,
  /** A cluster that is killed recovers at its next start. */
  postgres: 3_000,
} as const;
