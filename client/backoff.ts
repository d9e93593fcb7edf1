export interface Backoff {
  /** Calls `again` after a wait that doubles with every call since the last `reset`. */
  retry(again: () => void): void;
  reset(): void;
  /** Cancels a wait. */
  stop(): void;
}

/** Clients that lost their connections together must not come back together. */
const JITTER = 0.5;

export function createBackoff(waits: {
  readonly firstMs: number;
  readonly longestMs: number;
}): Backoff {
  let waitMs = waits.firstMs;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    retry(again) {
      clearTimeout(timer);
      timer = setTimeout(again, waitMs * (1 - JITTER * Math.random()));
      waitMs = Math.min(2 * waitMs, waits.longestMs);
    },
    reset() {
      waitMs = waits.firstMs;
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
