/** When a process whose loop is held counts as not ready, and when it ends. */
import { z } from 'zod';
import { readByBoth } from './environment.js';

export const WatchdogEnvironment = z.object({
  WATCHDOG_HELD_SECONDS: readByBoth(
    z.coerce.number().positive().max(3_600).default(5),
    'A process whose event loop is held for this long is not ready.',
  ),
  WATCHDOG_EXIT_SECONDS: readByBoth(
    z.coerce.number().min(0).max(86_400).default(60),
    'A process whose event loop is held for this long ends, so that its supervisor starts it again. `0`: it never ends.',
  ),
});

export interface WatchdogConfig {
  /** A loop that has been held for this long makes the process not ready. */
  readonly heldMs: number;
  /** A process whose loop has been held for this long ends; 0: never. */
  readonly exitMs: number;
}

export function watchdogOf(env: z.infer<typeof WatchdogEnvironment>): WatchdogConfig {
  return {
    heldMs: env.WATCHDOG_HELD_SECONDS * 1_000,
    exitMs: env.WATCHDOG_EXIT_SECONDS * 1_000,
  };
}
