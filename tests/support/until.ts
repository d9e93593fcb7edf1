import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `check` returns something truthy. @throws what it still lacks, after `timeoutMs` */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 15_000,
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
