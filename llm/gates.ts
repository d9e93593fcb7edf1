/** What stands between a pass and a vendor: the circuit of its line, and the places of its key. */
import { DomainError } from '../domain/errors.js';
import type { CallOutcome, Circuits, Entry } from './circuits.js';
import { lineOf, type Line } from './lines.js';
import { silentMetrics, type HoldReason, type ModelMetrics } from './metrics.js';
import type { PayingKey } from './model.js';
import type { Place, Places } from './places.js';
import { ModelCallError, isRetryable } from './vendor-errors.js';

export interface Gates {
  /** Asks whether the key's vendor may be asked now; if so, the caller must call `go`. */
  knock(key: PayingKey): Promise<Knock>;
}

export type Knock =
  | { readonly kind: 'let-through'; readonly way: Way }
  | { readonly kind: 'held-back'; readonly error: DomainError };

export interface Way {
  /**
   * Makes the call as soon as the key has a place for it.
   *
   * @throws `model-on-hold` if nobody was asked: no place became free, or the circuit has opened
   *   meanwhile; `cancelled`; what `call` throws
   */
  go<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface GatesDeps {
  readonly circuits: Circuits;
  readonly places: Places;
  readonly metrics?: ModelMetrics;
}

type Granted = Extract<Entry, { kind: 'granted' }>;

const NOTHING: CallOutcome = { kind: 'nothing' };
/** Others end their calls meanwhile, or fail with theirs. */
const NO_PLACE_WAIT_MS = 1_000;

export function createGates(deps: GatesDeps): Gates {
  return {
    async knock(key) {
      const line = lineOf(key);
      const entry = await deps.circuits.enter(line);
      return entry.kind === 'resting'
        ? { kind: 'held-back', error: holdBack(deps, line, { reason: 'circuit-open', ...entry }) }
        : { kind: 'let-through', way: wayOf(deps, line, entry) };
    },
  };
}

/** For the simulated provider, and where nobody keeps count: everybody passes. */
export const OPEN_GATES: Gates = {
  knock: () => Promise.resolve({ kind: 'let-through', way: OPEN_WAY }),
};

const OPEN_WAY: Way = {
  go: (call) => call(),
};

function wayOf(deps: GatesDeps, line: Line, entry: Granted): Way {
  return {
    async go(call, signal) {
      const place = await takePlace(deps, line, { entry, signal });
      try {
        const granted = place.hasWaited ? await enterAgain(deps, line, entry) : entry;
        return await callThrough(granted, call);
      } finally {
        await place.leave();
      }
    },
  };
}

async function takePlace(
  deps: GatesDeps,
  line: Line,
  { entry, signal }: { readonly entry: Granted; readonly signal: AbortSignal },
): Promise<Place> {
  let place: Place | null = null;
  try {
    place = await deps.places.take(line, signal);
  } finally {
    if (place === null) {
      await entry.leave(NOTHING);
    }
  }
  if (place === null) {
    throw holdBack(deps, line, { reason: 'no-place', waitMs: NO_PLACE_WAIT_MS });
  }
  return place;
}

/** Those who were waited for may have opened the circuit. */
async function enterAgain(deps: GatesDeps, line: Line, before: Granted): Promise<Granted> {
  await before.leave(NOTHING);
  const entry = await deps.circuits.enter(line);
  if (entry.kind === 'resting') {
    throw holdBack(deps, line, { reason: 'circuit-open', waitMs: entry.waitMs });
  }
  return entry;
}

async function callThrough<T>(entry: Granted, call: () => Promise<T>): Promise<T> {
  let outcome: CallOutcome = { kind: 'answered' };
  try {
    return await call();
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    await entry.leave(outcome);
  }
}

/** Only what a vendor did, or failed to do, says something of it. */
function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof ModelCallError && error.code === 'model-empty') {
    return { kind: 'answered' };
  }
  if (isRetryable(error)) {
    return { kind: 'failed', askedMs: (error.retryAfterSeconds ?? 0) * 1_000 };
  }
  const hasAnswered = error instanceof ModelCallError && error.status !== null;
  return hasAnswered ? { kind: 'answered' } : NOTHING;
}

function holdBack(
  { metrics = silentMetrics }: GatesDeps,
  { provider }: Line,
  { reason, waitMs }: { readonly reason: HoldReason; readonly waitMs: number },
): DomainError {
  metrics.heldBack({ provider, reason });
  return new DomainError('model-on-hold', TEXTS[reason](provider), {
    retryAfterSeconds: waitMs / 1_000,
  });
}

const TEXTS: Readonly<Record<HoldReason, (provider: string) => string>> = {
  'circuit-open': (provider) => `${provider} rests after failures`,
  'no-place': (provider) => `the key for ${provider} has all its calls in use`,
};
