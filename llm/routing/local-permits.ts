import { setTimeout as pause } from 'node:timers/promises';
import { nameRateLimitKey, type RateLimitKey } from './rate-limit-key.js';

/**
 * The permits of this process: they bound its calls while Redis is away, and a release wakes the call of
 * this process that has waited longest.
 */
export class LocalPermits {
  readonly #held = new Map<string, Set<string>>();
  /** In the order in which they came. */
  readonly #waiting = new Map<string, Set<Waiter>>();

  count(key: RateLimitKey): number {
    return this.#held.get(nameRateLimitKey(key))?.size ?? 0;
  }

  add(key: RateLimitKey, token: string): void {
    addTo(this.#held, nameRateLimitKey(key), token);
  }

  remove(key: RateLimitKey, token: string): void {
    removeFrom(this.#held, nameRateLimitKey(key), token);
    const [first] = this.#waiting.get(nameRateLimitKey(key)) ?? [];
    first?.wake();
  }

  addWaiter(key: RateLimitKey): Waiter {
    const waiter = new Waiter();
    addTo(this.#waiting, nameRateLimitKey(key), waiter);
    return waiter;
  }

  removeWaiter(key: RateLimitKey, waiter: Waiter): void {
    removeFrom(this.#waiting, nameRateLimitKey(key), waiter);
  }
}

class Waiter {
  #woken = new AbortController();

  wake(): void {
    this.#woken.abort();
  }

  /** Ends after `ms`, when it is woken, or when `signal` aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#woken.signal]);
    await pause(ms, undefined, { signal: either }).catch(() => undefined);
    this.#woken = new AbortController();
  }
}

function addTo<T>(sets: Map<string, Set<T>>, name: string, value: T): void {
  sets.set(name, (sets.get(name) ?? new Set<T>()).add(value));
}

function removeFrom<T>(sets: Map<string, Set<T>>, name: string, value: T): void {
  const set = sets.get(name);
  set?.delete(value);
  if (set?.size === 0) {
    sets.delete(name);
  }
}
