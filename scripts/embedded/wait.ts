import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 25;

/** Asks again and again until the answer is yes; false when the time is over. */
export async function waitUntil(
  isTrue: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly pollMs?: number },
): Promise<boolean> {
  const deadline = Date.now() + options.timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      return false;
    }
    await pause(options.pollMs ?? POLL_MS);
  }
  return true;
}
