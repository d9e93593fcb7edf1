import { setTimeout as pause } from 'node:timers/promises';

/** Patience, never a measure: a busy machine takes several times as long as a quiet one. */
const PATIENCE_MS = 60_000;

/** Waits until `check` returns something truthy. @throws what it still lacks, after `timeoutMs` */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = PATIENCE_MS,
): Promise<Exclude<T, null | undefined | false>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) {
      return value as Exclude<T, null | undefined | false>;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    }
    await pause(10);
  }
}
