/**
 * Decides whether a call may go to a provider with a key, for all workers together:
 *
 * - A circuit per key and provider opens after failures in a row, or when the provider asks for a wait. After its
 *   cooldown one call at a time tries the provider (half open); an answer closes the circuit.
 * - A key has a limited number of concurrency permits, given in the order in which calls ask for them.
 *
 * Both are one atomic step in Redis (guard-scripts.ts). While Redis is away circuits count as closed and each
 * process counts its own permits: calls may be made in vain, and money is reserved and settled as ever.
 * Why so: docs/decisions/0004-circuits-and-permits.md.
 */
import { randomUUID } from 'node:crypto';
import { DomainError } from '../../domain/errors.js';
import { VENDORS, type RemoteProvider } from '../../domain/agents/models.js';
import { silentMetrics, type HoldReason, type ModelMetrics } from '../metrics.js';
import type { PayingKey } from '../model.js';
import { ModelCallError, isRetryable } from '../providers/vendor-errors.js';
import {
  ACQUIRE,
  ACQUIRED,
  ACQUIRED_FOR_TRIAL,
  QUEUED,
  RELEASE,
  REMEMBERED_MS,
} from './guard-scripts.js';
import { LocalPermits } from './local-permits.js';
import { nameRateLimitKey, toRateLimitKey, type RateLimitKey } from './rate-limit-key.js';
import { renewRegularly, runScript, type ScriptDeps } from './redis-script.js';

export interface Guard {
  /**
   * Waits for a permit, for a while.
   *
   * @returns a permit, which the caller must release (`await using`), or why there is none now
   * @throws `cancelled` when `signal` aborts
   */
  acquire(key: PayingKey, signal: AbortSignal): Promise<Permit | Refusal>;
}

export interface Permit extends AsyncDisposable {
  readonly kind: 'permit';
  /** What the call has shown of its provider: set before the release, `unknown` until then. */
  outcome: CallOutcome;
}

export interface Refusal {
  readonly kind: 'refusal';
  /** `model-on-hold` with the wait. */
  readonly error: DomainError;
}

export type CallOutcome =
  /** The provider is there, even if it refused the call. */
  | { readonly kind: 'answered' }
  /** Retryably; `askedMs`: how long the provider asks not to be called, 0 if it did not say. */
  | { readonly kind: 'failed'; readonly askedMs: number }
  /** No call was made, or its end says nothing of the provider. */
  | { readonly kind: 'unknown' };

export const ANSWERED: CallOutcome = { kind: 'answered' };
export const UNKNOWN: CallOutcome = { kind: 'unknown' };

/** Only what a provider did, or failed to do, says something of it. */
export function toCallOutcome(error: unknown): CallOutcome {
  if (error instanceof ModelCallError && error.code === 'model-empty') {
    return ANSWERED;
  }
  if (isRetryable(error)) {
    return { kind: 'failed', askedMs: (error.retryAfterSeconds ?? 0) * 1_000 };
  }
  const hasAnswered = error instanceof ModelCallError && error.status !== null;
  return hasAnswered ? ANSWERED : UNKNOWN;
}

export interface GuardLimits {
  /** Failures in a row that open a circuit. */
  readonly failures: number;
  /** Failures further apart than this do not count as a row. */
  readonly windowMs: number;
  /** The first cooldown; each further one in a row is twice as long. */
  readonly firstCooldownMs: number;
  readonly longestCooldownMs: number;
  /** Longest `Retry-After` that is believed: no run lasts longer. */
  readonly longestAskedMs: number;
  /** A permit, and a half-open trial, that its worker does not renew is free after this. */
  readonly leaseMs: number;
  /** How long one call waits for a permit: then its attempt ends, and its slot in the worker is free. */
  readonly permitTimeoutMs: number;
}

export const GUARD_LIMITS: GuardLimits = {
  failures: 5,
  windowMs: 60_000,
  firstCooldownMs: 5_000,
  longestCooldownMs: 60_000,
  longestAskedMs: 300_000,
  leaseMs: 10_000, // as long as Temporal takes to notice a lost worker
  permitTimeoutMs: 10_000, // part of `attemptTimeoutMs` of workflows/activity-proxies.ts
};

/** How soon a permit that another worker has released is noticed; own ones are at once. */
const POLL_MS = 250;
/** When to ask again while another call tries a half-open provider. */
const DURING_TRIAL_MS = 1_000;
/** When to ask again after a permit was waited for in vain. */
const WITHOUT_PERMIT_MS = 1_000;

export interface GuardDeps extends ScriptDeps {
  /** Permits of one key. */
  readonly callsPerKey: number;
  readonly metrics?: ModelMetrics;
  readonly limits?: Partial<GuardLimits>;
}

export function createGuard(deps: GuardDeps): Guard {
  return new SharedGuard(deps);
}

function createPermit(release: (outcome: CallOutcome) => Promise<void>): Permit {
  const permit: Permit = {
    kind: 'permit',
    outcome: UNKNOWN,
    [Symbol.asyncDispose]: () => release(permit.outcome),
  };
  return permit;
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new DomainError('cancelled', 'the model call was cancelled');
  }
}

class SharedGuard implements Guard {
  readonly #deps: GuardDeps;
  readonly #metrics: ModelMetrics;
  readonly #limits: GuardLimits;
  readonly #local = new LocalPermits();

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#metrics = deps.metrics ?? silentMetrics;
    this.#limits = { ...GUARD_LIMITS, ...deps.limits };
  }

  async acquire(payingKey: PayingKey, signal: AbortSignal): Promise<Permit | Refusal> {
    throwIfCancelled(signal);
    const key = toRateLimitKey(payingKey);
    if (key.provider === 'simulated') {
      return createPermit(() => Promise.resolve());
    }
    const token = randomUUID();
    let answer = await this.#tryAcquire(key, token);
    if (answer === QUEUED) {
      answer = await this.#waitForPermit(key, token, signal);
    }
    if (signal.aborted) {
      await this.#release(key, token, UNKNOWN);
      throwIfCancelled(signal);
    }
    if (answer === QUEUED) {
      await this.#release(key, token, UNKNOWN);
      return this.#refuse(key, 'no-place', WITHOUT_PERMIT_MS);
    }
    if (answer > 0) {
      this.#local.remove(key, token);
      return this.#refuse(key, 'circuit-open', answer);
    }
    if (answer === ACQUIRED_FOR_TRIAL) {
      this.#reportMove(key, 'half-open');
    }
    const stopRenewing = renewRegularly(
      () => this.#runAcquire('renew', key, token),
      this.#limits.leaseMs,
    );
    return createPermit(async (outcome) => {
      stopRenewing();
      await this.#release(key, token, outcome);
    });
  }

  /** Counted and added to without a wait between. */
  async #tryAcquire(key: RateLimitKey, token: string): Promise<number> {
    const shared = await this.#runAcquire('acquire', key, token);
    const isFree = this.#local.count(key) < this.#deps.callsPerKey;
    const answer = shared === null ? (isFree ? ACQUIRED : QUEUED) : Number(shared);
    if (answer === ACQUIRED || answer === ACQUIRED_FOR_TRIAL) {
      this.#local.add(key, token);
    }
    return answer;
  }

  async #waitForPermit(key: RateLimitKey, token: string, signal: AbortSignal): Promise<number> {
    const startedAt = performance.now();
    const waitedMs = () => performance.now() - startedAt;
    const waiter = this.#local.addWaiter(key);
    let answer: number = QUEUED;
    while (answer === QUEUED && !signal.aborted && waitedMs() < this.#limits.permitTimeoutMs) {
      await waiter.wait(POLL_MS, signal);
      answer = await this.#tryAcquire(key, token);
    }
    this.#local.removeWaiter(key, waiter);
    this.#metrics.waited({ provider: key.provider, seconds: waitedMs() / 1_000 });
    return answer;
  }

  #runAcquire(op: 'acquire' | 'renew', key: RateLimitKey, token: string): Promise<unknown> {
    const { leaseMs, longestCooldownMs, longestAskedMs } = this.#limits;
    const name = nameRateLimitKey(key);
    return runScript(
      this.#deps,
      ACQUIRE,
      [`agentforge:circuit:${name}`, `agentforge:calls:${name}`, `agentforge:calls-leases:${name}`],
      [
        op,
        token,
        this.#deps.callsPerKey,
        leaseMs,
        DURING_TRIAL_MS,
        Math.max(longestCooldownMs, longestAskedMs),
      ],
    );
  }

  async #release(key: RateLimitKey, token: string, outcome: CallOutcome): Promise<void> {
    this.#local.remove(key, token);
    const limits = this.#limits;
    const asked = outcome.kind === 'failed' ? outcome.askedMs : 0;
    const name = nameRateLimitKey(key);
    const moved = await runScript(
      this.#deps,
      RELEASE,
      [
        `agentforge:circuit:${name}`,
        CIRCUITS + key.provider,
        `agentforge:calls:${name}`,
        `agentforge:calls-leases:${name}`,
      ],
      [
        token,
        key.fingerprint,
        outcome.kind,
        Math.ceil(Math.min(asked, limits.longestAskedMs)),
        limits.failures,
        limits.windowMs,
        limits.firstCooldownMs,
        limits.longestCooldownMs,
        REMEMBERED_MS,
      ],
    );
    if (moved === 'open' || moved === 'closed') {
      this.#reportMove(key, moved);
    }
  }

  #reportMove(key: RateLimitKey, to: 'open' | 'half-open' | 'closed'): void {
    this.#metrics.circuitMoved({ provider: key.provider, to });
    this.#deps.logger[to === 'open' ? 'warn' : 'info'](`circuit ${to}`, { ...key });
  }

  #refuse({ provider }: RateLimitKey, reason: HoldReason, waitMs: number): Refusal {
    this.#metrics.heldBack({ provider, reason });
    const error = new DomainError('model-on-hold', REFUSALS[reason](provider), {
      retryAfterSeconds: waitMs / 1_000,
    });
    return { kind: 'refusal', error };
  }
}

const REFUSALS: Readonly<Record<HoldReason, (provider: string) => string>> = {
  'circuit-open': (provider) => `${provider} is in its cooldown after failures`,
  'no-place': (provider) => `the key for ${provider} has all its calls in use`,
};

/** By provider: the keys whose circuit is not closed, scored with the end of the cooldown. */
const CIRCUITS = 'agentforge:circuits:';

export interface CircuitCount {
  readonly provider: RemoteProvider;
  readonly open: number;
  /** After the cooldown, and not answered since. */
  readonly halfOpen: number;
}

/** Circuits that are not closed, in the whole product. @throws while Redis is away */
export function countCircuits({
  redis,
}: Pick<ScriptDeps, 'redis'>): Promise<readonly CircuitCount[]> {
  return Promise.all(
    [...VENDORS, 'endpoint' as const].map(async (provider) => {
      const [seconds] = await redis.time();
      const now = Number(seconds) * 1_000;
      const [open, halfOpen] = await Promise.all([
        redis.zcount(CIRCUITS + provider, now, '+inf'),
        redis.zcount(CIRCUITS + provider, now - REMEMBERED_MS, `(${now}`),
      ]);
      return { provider, open, halfOpen };
    }),
  );
}
