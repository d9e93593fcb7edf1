import { setTimeout as pause } from 'node:timers/promises';
import type { ServerProcess } from '../embedded/process.js';

export interface KeepRunning {
  /** Starts it again; failing counts as an end. */
  readonly start: () => Promise<ServerProcess>;
  readonly say: (line: string) => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly firstDelayMs?: number;
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A process that ran this long begins with the first delay again. */
const HEALTHY_MS = 60_000;

/** Starts a process again whenever it ends, after waits that double. Returns when aborted. */
export async function keepRunning(first: ServerProcess, options: KeepRunning): Promise<void> {
  const firstDelayMs = options.firstDelayMs ?? FIRST_DELAY_MS;
  let server: ServerProcess | null = first;
  let delayMs = firstDelayMs;
  while (!options.signal.aborted) {
    const since = Date.now();
    await server?.ended;
    if (isAborted(options.signal)) {
      return;
    }
    delayMs = Date.now() - since > HEALTHY_MS ? firstDelayMs : delayMs;
    options.say(`${first.name} has ended; starting it again in ${delayMs / 1_000} s …`);
    await pause(delayMs, undefined, { signal: options.signal }).catch(() => undefined);
    delayMs = Math.min(delayMs * 2, MAX_DELAY_MS);
    server = isAborted(options.signal) ? null : await startAgain(first.name, options);
  }
}

async function startAgain(name: string, options: KeepRunning): Promise<ServerProcess | null> {
  try {
    const server = await options.start();
    if (options.signal.aborted) {
      await server.stop();
    }
    options.say(`${name} runs again.`);
    return server;
  } catch (error) {
    options.say(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/** Asked anew after every wait. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
