/**
 * What follows from a failure. `caller`: the caller gets it, and no activity meets it. `final`: an agent
 * fails by it, since asking again changes nothing; `refused`: the same, by a provider that was asked.
 * `attempt`: a provider has failed, which counts against `retry_count`. `retried`: it is tried again
 * without being counted. `broken`: it is no agent's outcome, since the run itself is broken or gone.
 */
export type FailureKind = 'caller' | 'final' | 'refused' | 'attempt' | 'retried' | 'broken';

/** Every way in which AgentForge refuses or fails, as a stable code. Listed once, here. */
const KINDS = {
  // what the caller can mend
  'invalid-input': 'caller',
  'not-authenticated': 'caller',
  'not-permitted': 'caller',
  'not-found': 'broken',
  conflict: 'caller',
  'too-many-requests': 'caller',
  'limit-reached': 'caller',
  'no-llm-key': 'final',
  'llm-key-unreadable': 'final',
  'pipeline-running': 'caller',
  'pipeline-waiting': 'caller',
  'pipelines-per-day': 'caller',
  'discussions-per-day': 'caller',
  'over-budget': 'final',
  'nothing-confirmed': 'caller',
  // a run that is not in the state that the request needs
  'run-not-ended': 'caller',
  'run-not-archived': 'caller',
  'rerun-mixes-models': 'caller',
  'run-ended': 'caller',
  'nothing-to-approve': 'caller',
  // a model call that will not succeed if repeated
  'model-key-refused': 'refused',
  'model-credit-exhausted': 'refused',
  'model-region-refused': 'refused',
  'model-blocked': 'refused',
  'model-address-refused': 'refused',
  'model-request-invalid': 'refused',
  'model-refused': 'final',
  'model-unpriced': 'final',
  'attempts-exhausted': 'final',
  'answer-invalid': 'final',
  'prompt-injection': 'final',
  'approval-rejected': 'final',
  'collector-blocked': 'final',
  // a model or service call that may succeed later
  'model-unavailable': 'attempt',
  'model-rate-limited': 'attempt',
  'model-timeout': 'attempt',
  'model-empty': 'attempt',
  // no provider was asked yet: all cool down, or the key's calls are all in use
  'model-on-hold': 'retried',
  'collector-failed': 'retried',
  unavailable: 'retried',
  cancelled: 'broken',
  internal: 'broken',
} as const satisfies Readonly<Record<string, FailureKind>>;

export type ErrorCode = keyof typeof KINDS;

/** The codes of some kinds, for tables that must have them all. */
export type CodeOfKind<K extends FailureKind> = {
  [Code in ErrorCode]: (typeof KINDS)[Code] extends K ? Code : never;
}[ErrorCode];

export function failureKind(code: ErrorCode): FailureKind {
  return KINDS[code];
}

export interface DomainErrorOptions {
  cause?: unknown;
  /** Earliest useful retry, in seconds, where the other side named one. */
  retryAfterSeconds?: number;
}

/** A failure with a stable code; `message` is safe to show to a user and to log. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The limit of all users together, of a vendor key that the server pays. */
export class ServerKeySpent extends DomainError {
  constructor() {
    super('over-budget', "the call does not fit into the day of the server's LLM key");
  }
}
