import { setTimeout as pause } from 'node:timers/promises';

/** A timeout, never a measure: a busy machine takes several times as long as a quiet one. */
const PATIENCE_MS = 60_000;

/** Checks often at first; a long wait need not keep a processor busy that others wait for. */
const SHORTEST_MS = 10;
const LONGEST_MS = 200;
/** Of the time waited so far: no wait is longer by more than this part. */
const PART = 1 / 20;

/** Waits until `check` returns something truthy. @throws what it still lacks, after `timeoutMs` */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = PATIENCE_MS,
): Promise<Exclude<T, null | undefined | false>> {
  const begun = Date.now();
  for (;;) {
    const value = await check();
    if (value) {
      return value as Exclude<T, null | undefined | false>;
    }
    const waitedMs = Date.now() - begun;
    if (waitedMs > timeoutMs) {
      throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    }
    await pause(Math.min(Math.max(SHORTEST_MS, waitedMs * PART), LONGEST_MS));
  }
}
