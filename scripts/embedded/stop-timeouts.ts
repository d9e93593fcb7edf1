/**
 * How long the parts of `npm start` may take to end once they are told to; then they are killed, which
 * takes a moment. They stop one after the other, so all of it together bounds a stop: below 20 s.
 */
export const STOP_TIMEOUTS_MS = {
  /** It answers what is under way; what it cannot is repeated by its client. */
  api: 3_000,
  /** It drains: it lets running steps end, and what it cannot end is repeated later. */
  worker: 9_000,
  /** No worker waits for it any more. */
  collector: 1_000,
  /** Its store survives a kill. */
  temporal: 1_500,
  /** It keeps nothing. */
  redis: 500,
  /** A cluster that is killed recovers at its next start. */
  postgres: 2_500,
} as const;
