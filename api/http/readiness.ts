/** Whether a part of the product answers; a loop that was held meanwhile is no reason to call it down. */

/** A part may take so many steps, of which one passes however long the loop was held: then its answer is read. */
const MAX_STEPS = 20;
const STEP_MS = 100;
/** Deadlines of clients pass while the loop is held: after such a time a failure says nothing. */
const HELD_MS = 500;
const MAX_TRIES = 3;

export async function stateOf(check: () => Promise<void>): Promise<'up' | 'down'> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const { isUp, wasHeld } = await tryOnce(check);
    if (isUp) {
      return 'up';
    }
    if (!wasHeld) {
      return 'down';
    }
  }
  return 'down';
}

async function tryOnce(check: () => Promise<void>): Promise<{ isUp: boolean; wasHeld: boolean }> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  let steps = 0;
  let last = performance.now();
  let longestMs = 0;
  const look = (): void => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  };
  const timer = setInterval(() => {
    look();
    steps += 1;
    if (steps >= MAX_STEPS) {
      reject(new Error('no answer in time'));
    }
  }, STEP_MS);
  try {
    await Promise.race([check(), timeout]);
    return { isUp: true, wasHeld: false };
  } catch {
    look();
    return { isUp: false, wasHeld: longestMs >= HELD_MS };
  } finally {
    clearInterval(timer);
  }
}
